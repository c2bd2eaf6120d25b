import type { Pacer } from '../pacer.ts'
import { ByteBuilder } from './byte-builder.ts'

/** A value of the metadata, with the type in which it is written. */
type MetadataValue =
  | { type: 'string'; value: string }
  | { type: 'u32' | 'f32'; value: number }
  | { type: 'strings'; value: readonly string[] }
  | { type: 'u32s' | 'i32s'; value: ArrayLike<number> }

const CODES = { u32: 4, i32: 5, f32: 6, string: 8, array: 9 } as const

/** Writes the tables of a GGUF file, version 3. */
export class GgufTables {
  readonly #entries = new ByteBuilder()
  readonly #tensors = new ByteBuilder()
  #entryCount = 0
  #tensorCount = 0

  set(key: string, { type, value }: MetadataValue): void {
    const out = this.#entries
    this.#entryCount++
    writeString(out, key)
    switch (type) {
      case 'string':
        out.u32(CODES.string)
        writeString(out, value)
        break
      case 'u32':
        out.u32(CODES.u32)
        out.u32(value)
        break
      case 'f32':
        out.u32(CODES.f32)
        out.f32(value)
        break
      case 'strings':
        this.#array(CODES.string, value.length)
        for (const text of value) writeString(out, text)
        break
      case 'u32s':
        this.#array(CODES.u32, value.length)
        for (let i = 0; i < value.length; i++) out.u32(value[i] as number)
        break
      case 'i32s':
        this.#array(CODES.i32, value.length)
        for (let i = 0; i < value.length; i++) out.i32(value[i] as number)
        break
    }
  }

  /**
   * Sets a list that is too long to be written in one go.
   * @param count how many texts there are
   */
  async setMany(key: string, count: number, texts: Iterable<string>, pacer: Pacer): Promise<void> {
    const out = this.#entries
    this.#entryCount++
    writeString(out, key)
    this.#array(CODES.string, count)
    for (const text of texts) {
      writeString(out, text)
      if (pacer.due) await pacer.turn()
    }
  }

  /** @param offset from the start of the data */
  tensor(name: string, shape: readonly number[], type: number, offset: number): void {
    const out = this.#tensors
    this.#tensorCount++
    writeString(out, name)
    out.u32(shape.length)
    for (const size of shape) out.u64(size)
    out.u32(type)
    out.u64(offset)
  }

  /** Up to the start of the data. */
  finish(alignment: number): Uint8Array {
    const out = new ByteBuilder()
    out.bytes(Buffer.from('GGUF'))
    out.u32(3)
    out.u64(this.#tensorCount)
    out.u64(this.#entryCount)
    out.bytes(this.#entries.finish())
    out.bytes(this.#tensors.finish())
    out.align(alignment)
    return out.finish()
  }

  #array(code: number, count: number): void {
    this.#entries.u32(CODES.array)
    this.#entries.u32(code)
    this.#entries.u64(count)
  }
}

function writeString(out: ByteBuilder, text: string): void {
  const bytes = Buffer.from(text)
  out.u64(bytes.byteLength)
  out.bytes(bytes)
}
