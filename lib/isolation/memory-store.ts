import { types } from 'node:util'
import type { NativeByteStore } from '../native.ts'

/** Bytes for the other process, in chunks. */
export interface SentBytes {
  take(): Iterable<Uint8Array>
}

/** Bytes that wait in this process until they are sent to that of the model. */
export class MemoryStore implements NativeByteStore {
  #chunks: Uint8Array[] = []
  #byteLength = 0

  get byteLength(): number {
    return this.#byteLength
  }

  append(view: Uint8Array | Int16Array | Float32Array, finite: boolean): number {
    if (finite && types.isFloat32Array(view)) {
      const bad = firstWithoutEnd(view)
      if (bad >= 0) return bad
    }
    this.#chunks.push(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice())
    this.#byteLength += view.byteLength
    return -1
  }

  read(offset: number, length: number): Uint8Array {
    const parts: Uint8Array[] = []
    let start = 0
    for (const chunk of this.#chunks) {
      const from = Math.max(offset - start, 0)
      const to = Math.min(offset + length - start, chunk.length)
      if (from < to) parts.push(chunk.subarray(from, to))
      start += chunk.length
    }
    return Buffer.concat(parts)
  }

  /**
   * Hands the chunks over, one by one: a chunk that is sent is not held any more.
   * @param keep hold them all the same, for another time
   */
  *take(keep = false): Generator<Uint8Array, void> {
    if (keep) {
      yield* this.#chunks
      return
    }
    const chunks = this.#chunks
    this.#chunks = []
    this.#byteLength = 0
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk
  }
}

/** Position of the first NaN or infinity, or -1. */
function firstWithoutEnd(samples: Float32Array): number {
  // A sum says nothing about where, but is fast where all is well, which is nearly always.
  let sum = 0
  for (let i = 0; i < samples.length; i++) sum += 0 * (samples[i] as number)
  return sum === 0 ? -1 : samples.findIndex((sample) => !Number.isFinite(sample))
}
