import type { BlockReader } from '../block-reader.ts'
import { corrupt } from '../failures.ts'

/** A field of a message: its number, and its value, or the bytes that follow when it has a length. */
export interface ProtobufField {
  readonly number: number
  /** `bytes`: a text, a message or packed numbers. `fixed` numbers are passed over. */
  readonly kind: 'integer' | 'bytes' | 'fixed'
  /** The integer, or the number of bytes. Inexact beyond 2^53. */
  readonly value: number
}

/** Longest form of an integer in bytes. */
const MAX_VARINT = 10
/** Fields of a file, and bytes of the texts in it that are asked for: Whisper's largest models have 200,000 and 5 million. */
const MAX_FIELDS = 1 << 19
const MAX_TEXTS = 16 << 20
const KINDS = { 0: 'integer', 1: 'fixed', 2: 'bytes', 5: 'fixed' } as const

/**
 * Walks through messages of protobuf without keeping any: the caller reads or skips the bytes of each field. So weights are never
 * read, which a decoder of whole messages does. See docs/decisions/0013-offsets-only.md.
 */
export class ProtobufWalker {
  readonly reader: BlockReader
  #fields = 0
  #texts = 0

  constructor(reader: BlockReader) {
    this.reader = reader
  }

  /**
   * The next field of the message that ends at `end`, or `undefined` at its end.
   * @param what the message, for failures, e.g. `the graph`
   */
  async field(end: number, what: string): Promise<ProtobufField | undefined> {
    const { reader } = this
    if (reader.position === end) return undefined
    if (++this.#fields > MAX_FIELDS)
      throw corrupt(reader.source.name, `it has more than ${MAX_FIELDS} fields`)
    await reader.ensure(Math.min(2 * MAX_VARINT, end - reader.position), what)
    const at = reader.position
    const tag = this.#varint(end, what)
    const number = Math.floor(tag / 8)
    const kind = KINDS[(tag % 8) as keyof typeof KINDS]
    if (kind === undefined || number < 1) throw this.#fail(at, what, 'a field of a message')
    if (kind === 'fixed') {
      const width = tag % 8 === 1 ? 8 : 4
      this.#requireLeft(width, end, at, what)
      reader.skip(width, what)
      return { number, kind, value: 0 }
    }
    const value = this.#varint(end, what)
    if (kind === 'bytes') this.#requireLeft(value, end, at, what)
    return { number, kind, value }
  }

  /** Passes over the bytes of a field. */
  skip({ kind, value }: ProtobufField, what: string): void {
    if (kind === 'bytes') this.reader.skip(value, what)
  }

  /** The bytes of a field as text. */
  async text({ kind, value }: ProtobufField, maximum: number, what: string): Promise<string> {
    const { reader } = this
    if (kind !== 'bytes' || value > maximum)
      throw this.#fail(reader.position, what, `a text of at most ${maximum} bytes`)
    this.#texts += value
    if (this.#texts > MAX_TEXTS)
      throw corrupt(reader.source.name, `its texts have more than ${MAX_TEXTS} bytes`)
    await reader.ensure(value, what)
    return reader.text(value)
  }

  /** An integer, or the integers that are packed in the field. */
  async integers({ kind, value }: ProtobufField, maximum: number, what: string): Promise<number[]> {
    if (kind === 'integer') return [value]
    const { reader } = this
    if (kind !== 'bytes' || value > maximum * MAX_VARINT)
      throw this.#fail(reader.position, what, `a list of at most ${maximum} integers`)
    const end = reader.position + value
    const integers: number[] = []
    await reader.ensure(value, what)
    while (reader.position < end) integers.push(this.#varint(end, what))
    return integers
  }

  #varint(end: number, what: string): number {
    const { reader } = this
    const at = reader.position
    let value = 0
    for (let i = 0, scale = 1; i < MAX_VARINT && reader.position < end; i++, scale *= 128) {
      const byte = reader.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    throw this.#fail(at, what, 'an integer')
  }

  #requireLeft(length: number, end: number, at: number, what: string): void {
    if (length <= end - this.reader.position) return
    throw this.#fail(at, what, `a field that ends inside it: ${length} bytes are announced`)
  }

  #fail(at: number, what: string, expected: string): Error {
    return corrupt(this.reader.source.name, `at byte ${at}, in ${what}, is not ${expected}`)
  }
}
