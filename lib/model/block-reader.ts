import type { Pacer } from '../pacer.ts'
import { corrupt } from './failures.ts'
import type { ByteSource } from './source.ts'

/** Places of a source that are read at most: tables of Whisper's largest models are in about 1300. */
const MAX_READS = 1 << 12

/**
 * Walks through a source from start to end in bounded time and memory, and checks the bounds before every read.
 * Numbers are little-endian. `ensure` reads, the getters after it only look into the block that it made available:
 *
 *     await reader.ensure(8, 'the header')
 *     const magic = reader.u32(), count = reader.u32()
 */
export class BlockReader {
  /** Bytes that one read of the source fetches at least, where there are as many. */
  readAhead = 4096

  readonly source: ByteSource
  readonly #pacer: Pacer
  #block: Uint8Array = new Uint8Array(0)
  #view = new DataView(this.#block.buffer)
  /** Offset of the block in the source, and of the next byte in the block. */
  #start = 0
  #next = 0
  #reads = 0

  constructor(source: ByteSource, pacer: Pacer) {
    this.source = source
    this.#pacer = pacer
  }

  /** What the last `ensure` made available. */
  get block(): Uint8Array {
    return this.#block
  }

  /** Offset of the next byte in the source. */
  get position(): number {
    return this.#start + this.#next
  }

  /** Bytes from here to the end of the source. */
  get remaining(): number {
    return this.source.size - this.position
  }

  /** Bytes that the getters can take without another `ensure`. */
  get buffered(): number {
    return this.#block.byteLength - this.#next
  }

  /**
   * Makes the next `length` bytes available.
   * @param what where we are, for the message, e.g. `the vocabulary`
   * @throws WhisperHipError `ERR_MODEL_CORRUPT` when the source ends before
   */
  async ensure(length: number, what: string): Promise<void> {
    if (length <= this.buffered) return
    this.#requireLeft(length, what)
    if (this.#pacer.due) await this.#pacer.turn()
    if (++this.#reads > MAX_READS)
      throw corrupt(this.source.name, `its tables are in more than ${MAX_READS} places`)
    const start = this.position
    this.#block = await this.source.read(start, Math.min(Math.max(length, this.readAhead), this.remaining))
    this.#view = new DataView(this.#block.buffer, this.#block.byteOffset, this.#block.byteLength)
    this.#start = start
    this.#next = 0
  }

  u8(): number {
    return this.#view.getUint8(this.advance(1))
  }

  u16(): number {
    return this.#view.getUint16(this.advance(2), true)
  }

  i16(): number {
    return this.#view.getInt16(this.advance(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.advance(4), true)
  }

  peekU32(): number {
    return this.#view.getUint32(this.#next, true)
  }

  /** As exact as {@link u64}. */
  peekU64(): number {
    return this.peekU32() + this.#view.getUint32(this.#next + 4, true) * 2 ** 32
  }

  i32(): number {
    return this.#view.getInt32(this.advance(4), true)
  }

  /** Exact up to 2^53; numbers above are rounded, so compare it with a limit. */
  u64(): number {
    const low = this.u32()
    return this.u32() * 2 ** 32 + low
  }

  /** As exact as {@link u64}. */
  i64(): number {
    const low = this.u32()
    return this.i32() * 2 ** 32 + low
  }

  f32(): number {
    return this.#view.getFloat32(this.advance(4), true)
  }

  f64(): number {
    return this.#view.getFloat64(this.advance(8), true)
  }

  /** Passes available bytes and returns where they are in {@link block}. Copy them before the next `ensure`. */
  advance(length: number): number {
    const at = this.#next
    this.#next += length
    return at
  }

  /** One byte per character; names in model files are ASCII. */
  text(length: number): string {
    const { buffer, byteOffset } = this.#block
    return Buffer.from(buffer, byteOffset + this.advance(length), length).toString('latin1')
  }

  /**
   * Passes over bytes without reading them.
   * @throws WhisperHipError `ERR_MODEL_CORRUPT` when the source ends before
   */
  skip(length: number, what: string): void {
    this.#requireLeft(length, what)
    this.#next += length
    if (this.#next <= this.#block.byteLength) return
    this.#start += this.#next
    this.#next = 0
    this.#block = new Uint8Array(0)
  }

  #requireLeft(length: number, what: string): void {
    if (length <= this.remaining) return
    const { name, size } = this.source
    throw corrupt(
      name,
      `it ends at byte ${size}, inside ${what} (${length} bytes are needed at byte ${this.position})`,
    )
  }
}
