import type { Pacer } from '../../pacer.ts'
import { BlockReader } from '../block-reader.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import { rowBytes, typeName } from '../ggml-types.ts'
import { GgmlType, type StoredType } from '../plan.ts'
import type { ByteSource } from '../source.ts'

/** An array of a Flax checkpoint. */
export interface FlaxArray {
  /** C order, slowest dimension first. */
  readonly shape: readonly number[]
  readonly type: StoredType
  /** Of the data in the source. */
  readonly offset: number
}

const TYPES: ReadonlyMap<string, StoredType> = new Map([
  ['float32', GgmlType.F32],
  ['float16', GgmlType.F16],
  ['bfloat16', GgmlType.BF16],
])

/** The extension type that Flax gives its arrays. */
const ARRAY = 1
const CHUNKED = '__msgpack_chunked_array__'
/** What Flax's TrainState has beside the weights. */
const TRAINING: ReadonlySet<string> = new Set(['step', 'opt_state'])
const MAX_DEPTH = 16
const MAX_ENTRIES = 1 << 14
const MAX_NAME = 256
const MAX_RANK = 8

/**
 * Finds the arrays in a file of `flax.serialization.to_bytes()`: maps of maps in MessagePack, whose leaves are extensions that hold the shape, the type and the values. No value
 * of an array is read.
 *
 * @returns arrays by path, e.g. `model/encoder/layers/0/fc1/kernel`
 * @throws WhisperHipError `ERR_MODEL_CORRUPT` or `ERR_MODEL_UNSUPPORTED`
 */
export async function readFlaxContainer(source: ByteSource, pacer: Pacer): Promise<Map<string, FlaxArray>> {
  const walker = new FlaxWalker(new BlockReader(source, pacer))
  await walker.map([])
  return walker.finish()
}

class FlaxWalker {
  readonly #reader: BlockReader
  readonly #file: string
  readonly #arrays = new Map<string, FlaxArray>()
  #entries = 0

  constructor(reader: BlockReader) {
    this.#reader = reader
    this.#file = reader.source.name
  }

  finish(): Map<string, FlaxArray> {
    const { remaining } = this.#reader
    if (remaining > 0) throw corrupt(this.#file, `${remaining} bytes follow the end of the model`)
    return this.#arrays
  }

  /** A map, at the start of which the reader is. */
  async map(path: readonly string[]): Promise<void> {
    const at = this.#reader.position
    const count = sizeOf(await this.#code(whereOf(path)), MAPS)
    if (count === undefined) throw this.#fail(at, whereOf(path), 'a map')
    await this.#members(path, await count(this.#reader))
  }

  async #members(path: readonly string[], count: number): Promise<void> {
    const where = whereOf(path)
    this.#entries += count
    if (this.#entries > MAX_ENTRIES)
      throw corrupt(this.#file, `it announces more than ${MAX_ENTRIES} entries in ${where}`)
    if (path.length > MAX_DEPTH)
      throw corrupt(this.#file, `its maps are nested more deeply than ${MAX_DEPTH} in ${where}`)
    const names = new Set<string>()
    for (let i = 0; i < count; i++) {
      const name = await this.#string(`a name in ${where}`)
      if (names.has(name)) throw corrupt(this.#file, `${quote(name)} is there twice in ${where}`)
      names.add(name)
      if (name === CHUNKED) {
        throw unsupported(this.#file, `${where} is stored in chunks, as Flax stores arrays of over 1 GiB`, [
          'Save the model with transformers as safetensors',
        ])
      }
      if (path.length === 0 && TRAINING.has(name)) {
        throw unsupported(this.#file, `it is the state of a training, with ${quote(name)}, not a model`, [
          'Save its weights alone: model.save_pretrained(folder, params=state.params)',
        ])
      }
      await this.#value([...path, name])
    }
  }

  async #value(path: readonly string[]): Promise<void> {
    const where = whereOf(path)
    const at = this.#reader.position
    const code = await this.#code(where)
    const members = sizeOf(code, MAPS)
    if (members !== undefined) return await this.#members(path, await members(this.#reader))
    const length = sizeOf(code, EXTENSIONS)
    if (length === undefined) throw this.#fail(at, where, 'a map or an array')
    await this.#extension(path, await length(this.#reader))
  }

  async #extension(path: readonly string[], length: number): Promise<void> {
    const reader = this.#reader
    const where = whereOf(path)
    const type = await this.#code(where)
    if (type !== ARRAY)
      throw corrupt(this.#file, `${where} has extension type ${type}, where ${ARRAY} is an array`)
    const end = reader.position + length
    const isTuple = (await this.#code(where)) === 0x93
    if (!isTuple) throw this.#fail(reader.position - 1, where, 'an array of shape, type and values')
    const shape = await this.#shape(where)
    const name = await this.#string(where)
    const stored = TYPES.get(name)
    if (stored === undefined) {
      throw unsupported(
        this.#file,
        `${where} is of type ${quote(name)}, where ${[...TYPES.keys()].join(', ')} are supported`,
      )
    }
    const at = reader.position
    const size = sizeOf(await this.#code(where), BINARIES)
    if (size === undefined) throw this.#fail(at, where, 'the values of an array')
    const bytes = await size(reader)
    const expected = shape.reduce((product, n) => product * n, rowBytes(stored, 1))
    if (bytes !== expected || reader.position + bytes !== end) {
      const type = typeName(stored)
      throw corrupt(
        this.#file,
        `${where} has ${bytes} bytes, where its shape [${shape}] and type ${type} need ${expected}`,
      )
    }
    this.#arrays.set(path.join('/'), { shape, type: stored, offset: reader.position })
    reader.skip(bytes, where)
  }

  async #shape(where: string): Promise<number[]> {
    const at = this.#reader.position
    const rank = sizeOf(await this.#code(where), ARRAYS)
    if (rank === undefined) throw this.#fail(at, where, 'a shape')
    const count = await rank(this.#reader)
    if (count > MAX_RANK) throw corrupt(this.#file, `${where} has ${count} dimensions`)
    const shape: number[] = []
    for (let i = 0; i < count; i++) shape.push(await this.#size(where))
    return shape
  }

  async #size(where: string): Promise<number> {
    const at = this.#reader.position
    const code = await this.#code(where)
    if (code < 0x80) return code
    const width = { 204: 1, 205: 2, 206: 4 }[code]
    if (width === undefined) throw this.#fail(at, where, 'a size')
    return await bigEndian(this.#reader, width)
  }

  async #string(where: string): Promise<string> {
    const at = this.#reader.position
    const size = sizeOf(await this.#code(where), STRINGS)
    if (size === undefined) throw this.#fail(at, where, 'a string')
    const length = await size(this.#reader)
    if (length < 1 || length > MAX_NAME) throw this.#fail(at, where, `a string of 1 to ${MAX_NAME} bytes`)
    await this.#reader.ensure(length, where)
    const text = this.#reader.text(length)
    if (!/^[\x21-\x7e]+$/.test(text)) throw this.#fail(at, where, 'a name')
    return text
  }

  async #code(where: string): Promise<number> {
    await this.#reader.ensure(1, where)
    return this.#reader.u8()
  }

  #fail(at: number, where: string, expected: string): Error {
    return corrupt(this.#file, `at byte ${at}, in ${where}, is not ${expected}`)
  }
}

function whereOf(path: readonly string[]): string {
  return path.length === 0 ? 'the top of the file' : path.join('/')
}

/** How a family of values announces its size: in the first byte, or in a number of bytes after it. */
interface Family {
  fixed?: { from: number; to: number }
  /** Codes with the bytes of the size that follows. */
  sized: Readonly<Record<number, number>>
  /** Codes that stand for a size. */
  exact?: Readonly<Record<number, number>>
}

const MAPS: Family = { fixed: { from: 0x80, to: 0x8f }, sized: { 222: 2, 223: 4 } }
const ARRAYS: Family = { fixed: { from: 0x90, to: 0x9f }, sized: { 220: 2, 221: 4 } }
const STRINGS: Family = { fixed: { from: 0xa0, to: 0xbf }, sized: { 217: 1, 218: 2, 219: 4 } }
const BINARIES: Family = { sized: { 196: 1, 197: 2, 198: 4 } }
const EXTENSIONS: Family = {
  sized: { 199: 1, 200: 2, 201: 4 },
  exact: { 212: 1, 213: 2, 214: 4, 215: 8, 216: 16 },
}

/** How to get the size of a value that starts with the code, or `undefined` when it is of another family. */
function sizeOf(
  code: number,
  { fixed, sized, exact }: Family,
): ((reader: BlockReader) => Promise<number>) | undefined {
  if (fixed !== undefined && code >= fixed.from && code <= fixed.to) return async () => code - fixed.from
  const size = exact?.[code]
  if (size !== undefined) return async () => size
  const width = sized[code]
  return width === undefined ? undefined : (reader) => bigEndian(reader, width)
}

async function bigEndian(reader: BlockReader, width: number): Promise<number> {
  await reader.ensure(width, 'a size')
  let value = 0
  for (let i = 0; i < width; i++) value = value * 256 + reader.u8()
  return value
}
