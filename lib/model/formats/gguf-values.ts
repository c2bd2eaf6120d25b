import type { Pacer } from '../../pacer.ts'
import type { BlockReader } from '../block-reader.ts'
import { corrupt, quote } from '../failures.ts'
import { MAX_PRINTABLE_BYTES, RawTokens } from './raw-tokens.ts'

/** gguf_metadata_value_type */
export const VALUE_TYPE = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const

/** A value of the metadata with its type in the file. */
export interface GgufValue {
  /** {@link VALUE_TYPE}; of an array its elements'. */
  type: number
  /** `undefined` = an array that was passed over. */
  value: number | boolean | string | number[] | RawTokens | undefined
}

/** Bytes of the types that have one size. */
const SIZES: Readonly<Record<number, number>> = {
  [VALUE_TYPE.u8]: 1,
  [VALUE_TYPE.i8]: 1,
  [VALUE_TYPE.u16]: 2,
  [VALUE_TYPE.i16]: 2,
  [VALUE_TYPE.u32]: 4,
  [VALUE_TYPE.i32]: 4,
  [VALUE_TYPE.f32]: 4,
  [VALUE_TYPE.bool]: 1,
  [VALUE_TYPE.u64]: 8,
  [VALUE_TYPE.i64]: 8,
  [VALUE_TYPE.f64]: 8,
}

/** Longest string that is possible. */
const MAX_STRING = 16 << 20
/** Longest that is kept: licence texts and chat templates are longer than what is asked for here. */
const MAX_KEPT_STRING = 1 << 16
/** Longest array of numbers that is kept: lists of tokens to suppress have about 90. */
const MAX_KEPT_NUMBERS = 4096
/** Of all strings and numbers that are kept, in bytes. */
const MAX_KEPT = 4 << 20
/** Of one array. */
const MAX_ELEMENTS = 1 << 24
/** Of all arrays that are passed over one by one: vocabularies of other models have up to a million strings. */
const MAX_STRINGS = 1 << 21
const MAX_ARRAYS = 1 << 14
const MAX_DEPTH = 4
/** Of a vocabulary: Whisper's has 51,866 tokens of 430,000 bytes. */
const MAX_TOKENS = 1 << 16
const MAX_VOCABULARY_BYTES = 4 << 20

/** The arrays of strings that are kept. */
const TOKENS = 'tokenizer.ggml.tokens'

/** Reads the values of the metadata in bounded time and memory: small ones are kept, large arrays passed over. */
export class GgufValueReader {
  readonly #reader: BlockReader
  readonly #pacer: Pacer
  #kept = 0
  #strings = 0
  #arrays = 0

  constructor(reader: BlockReader, pacer: Pacer) {
    this.#reader = reader
    this.#pacer = pacer
  }

  /** Reads the value that follows its key. */
  async read(key: string): Promise<GgufValue> {
    const reader = this.#reader
    const what = `the value of ${quote(key)}`
    await reader.ensure(4, what)
    const type = reader.u32()
    if (type === VALUE_TYPE.array) return await this.#array(key, what)
    if (type === VALUE_TYPE.string) return { type, value: await this.#string(what) }
    const size = SIZES[type]
    if (size === undefined)
      throw corrupt(reader.source.name, `${what} has type ${type}, which does not exist`)
    await reader.ensure(size, what)
    const number = readNumber(reader, type)
    return { type, value: type === VALUE_TYPE.bool ? number !== 0 : number }
  }

  async #array(key: string, what: string): Promise<GgufValue> {
    const reader = this.#reader
    await reader.ensure(12, what)
    const type = reader.u32()
    const count = this.#elementCount(what)
    const size = SIZES[type]
    if (size !== undefined && count <= MAX_KEPT_NUMBERS) {
      await reader.ensure(size * count, what)
      this.#keep(8 * count)
      return { type, value: Array.from({ length: count }, () => readNumber(reader, type)) }
    }
    if (key === TOKENS && type === VALUE_TYPE.string) return { type, value: await readTokens(reader, count) }
    await this.#skipElements(type, count, what, 1)
    return { type, value: undefined }
  }

  async #string(what: string): Promise<string | undefined> {
    const reader = this.#reader
    await reader.ensure(8, what)
    const length = reader.u64()
    if (length > MAX_STRING)
      throw corrupt(reader.source.name, `${what} has ${length} bytes, where ${MAX_STRING} are possible`)
    if (length > MAX_KEPT_STRING) {
      reader.skip(length, what)
      return undefined
    }
    await reader.ensure(length, what)
    this.#keep(length)
    const start = reader.advance(length)
    return Buffer.from(reader.block.subarray(start, start + length)).toString('utf8')
  }

  #keep(bytes: number): void {
    this.#kept += bytes
    if (this.#kept > MAX_KEPT)
      throw corrupt(this.#reader.source.name, `its metadata have more than ${MAX_KEPT} bytes`)
  }

  #elementCount(what: string): number {
    const count = this.#reader.u64()
    if (count <= MAX_ELEMENTS) return count
    const { name } = this.#reader.source
    throw corrupt(name, `${what} has ${count} elements, where ${MAX_ELEMENTS} are possible`)
  }

  async #skipElements(type: number, count: number, what: string, depth: number): Promise<void> {
    const reader = this.#reader
    const size = SIZES[type]
    if (size !== undefined) return reader.skip(size * count, what)
    if (type === VALUE_TYPE.string) return await this.#skipStrings(count, what)
    if (type !== VALUE_TYPE.array || depth >= MAX_DEPTH)
      throw corrupt(reader.source.name, `${what} is an array of type ${type}, nested ${depth} deep`)
    this.#arrays += count
    if (this.#arrays > MAX_ARRAYS)
      throw corrupt(reader.source.name, `its metadata have more than ${MAX_ARRAYS} arrays`)
    for (let i = 0; i < count; i++) {
      if (this.#pacer.due) await this.#pacer.turn()
      await reader.ensure(12, what)
      const inner = reader.u32()
      await this.#skipElements(inner, this.#elementCount(what), what, depth + 1)
    }
  }

  async #skipStrings(count: number, what: string): Promise<void> {
    const reader = this.#reader
    this.#strings += count
    if (this.#strings > MAX_STRINGS)
      throw corrupt(reader.source.name, `its metadata have more than ${MAX_STRINGS} texts`)
    for (let i = 0; i < count; i++) {
      if ((i & 0xff) === 0 && this.#pacer.due) await this.#pacer.turn()
      if (reader.buffered < 8) await reader.ensure(8, what)
      const length = reader.u64()
      if (length <= reader.buffered) reader.advance(length)
      else reader.skip(length, what)
    }
  }
}

function readNumber(reader: BlockReader, type: number): number {
  switch (type) {
    case VALUE_TYPE.u8:
    case VALUE_TYPE.bool:
      return reader.u8()
    case VALUE_TYPE.i8:
      return (reader.u8() << 24) >> 24
    case VALUE_TYPE.u16:
      return reader.u16()
    case VALUE_TYPE.i16:
      return reader.i16()
    case VALUE_TYPE.u32:
      return reader.u32()
    case VALUE_TYPE.i32:
      return reader.i32()
    case VALUE_TYPE.f32:
      return reader.f32()
    case VALUE_TYPE.u64:
      return reader.u64()
    case VALUE_TYPE.i64:
      return reader.i64()
    default:
      return reader.f64()
  }
}

async function readTokens(reader: BlockReader, count: number): Promise<RawTokens> {
  const file = reader.source.name
  if (count > MAX_TOKENS) throw corrupt(file, `it has ${count} tokens, where ${MAX_TOKENS} are possible`)
  const tokens = new RawTokens(file, Math.min(reader.remaining, MAX_VOCABULARY_BYTES), count)
  for (let id = 0; id < count; ) {
    await reader.ensure(8, `token ${id}`)
    await reader.ensure(8 + requireLength(reader.peekU64(), id, file), `token ${id}`)
    id = keepAvailable(reader, tokens, id)
  }
  return tokens
}

function requireLength(length: number, id: number, file: string): number {
  if (length <= MAX_PRINTABLE_BYTES) return length
  throw corrupt(file, `token ${id} is too long: ${length} bytes`)
}

/**
 * Keeps the tokens that are available in whole, without a pause: about 4,000 in a block. Returns the next id. Looks into the block itself:
 * getters of the reader take longer than the bytes of a token.
 */
function keepAvailable(reader: BlockReader, tokens: RawTokens, first: number): number {
  const { block, buffered } = reader
  const start = reader.advance(0)
  const end = start + buffered
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
  let at = start
  let id = first
  for (; id < tokens.count && at + 8 <= end; id++) {
    const length = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32
    const next = at + 8 + requireLength(length, id, reader.source.name)
    if (next > end) break
    tokens.put(id, block, at + 8, next)
    at = next
  }
  reader.advance(at - start)
  return id
}
