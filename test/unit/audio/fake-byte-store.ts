import type { NativeByteStore } from '../../../lib/native.ts'

/** A fake of the addon's store that keeps the bytes in a JS buffer. */
export class FakeByteStore implements NativeByteStore {
  readonly #pieces: Uint8Array[] = []
  /** Bytes of the largest single append. */
  largest = 0

  append(view: Uint8Array | Int16Array | Float32Array, finite: boolean): number {
    if (finite && view instanceof Float32Array) {
      const bad = view.findIndex((sample) => !Number.isFinite(sample))
      if (bad >= 0) return bad
    }
    this.largest = Math.max(this.largest, view.byteLength)
    this.#pieces.push(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice())
    return -1
  }

  get byteLength(): number {
    return this.#pieces.reduce((sum, { length }) => sum + length, 0)
  }

  read(offset: number, length: number): Uint8Array {
    return this.bytes().slice(offset, offset + length)
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#pieces))
  }

  floats(): Float32Array {
    return new Float32Array(this.bytes().buffer)
  }

  integers(): Int16Array {
    return new Int16Array(this.bytes().buffer)
  }
}
