import { types } from 'node:util'
import { checkAttached, invalidArgument } from '../check.ts'
import { unshared } from '../kinds.ts'
import type { ChunkReader } from './chunks.ts'

/** Largest piece that is copied or written at once, in bytes: a fraction of a millisecond of the JS thread. */
export const sliceBytes = 1 << 20

/** The bytes of an audio file, from a stream or from memory, that can be looked at before they are read. */
export class ByteReader {
  readonly #chunks: ChunkReader
  readonly #name: string
  /** Read from the stream, but not handed out yet. */
  #ahead: Uint8Array[] = []
  #count = 0

  /** @param first a chunk that was taken from the stream before */
  constructor(chunks: ChunkReader, name: string, first?: unknown) {
    this.#chunks = chunks
    this.#name = name
    if (first !== undefined) this.#take(first)
  }

  /** The first `length` bytes of the rest, fewer only at its end; they stay unread. */
  async peek(length: number): Promise<Uint8Array> {
    let have = this.#ahead.reduce((sum, chunk) => sum + chunk.length, 0)
    while (have < length) {
      const chunk = await this.#chunks.next()
      if (chunk === undefined) break
      have += this.#take(chunk)
    }
    return Buffer.concat(this.#ahead, Math.min(have, length))
  }

  /** The next bytes, at most {@link sliceBytes} and never none; `undefined` at the end. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#ahead.length === 0) {
      const chunk = await this.#chunks.next()
      if (chunk === undefined) return undefined
      this.#take(chunk)
    }
    const chunk = this.#ahead.shift() as Uint8Array
    if (chunk.length <= sliceBytes) return chunk
    this.#ahead.unshift(chunk.subarray(sliceBytes))
    return chunk.subarray(0, sliceBytes)
  }

  /** Stops the stream. */
  close(): void {
    this.#chunks.close()
  }

  #take(chunk: unknown): number {
    const name = `chunk ${this.#count++} of ${this.#name}`
    if (!types.isUint8Array(chunk)) throw invalidArgument('a Uint8Array', name, chunk)
    checkAttached(chunk, name)
    if (chunk.length > 0) this.#ahead.push(chunk)
    return chunk.length
  }
}

/** Bytes in memory as a stream of slices; a buffer that is detached or shrunk meanwhile is `ERR_INVALID_ARGUMENT`. */
export async function* slicesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const { length } = bytes
  for (let at = 0; at < length; at += sliceBytes) {
    checkLength(bytes, length)
    yield unshared(bytes.subarray(at, at + sliceBytes))
  }
}

/** Arrays from outside can be detached or resized at any await. */
export function checkLength(view: { readonly length: number }, length: number): void {
  if (view.length === length) return
  throw invalidArgument(`${length} elements until they are read (was it transferred?)`, 'audio', view)
}
