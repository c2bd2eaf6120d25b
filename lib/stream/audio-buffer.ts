/** The newest samples of a stream, addressed by their position in it; what is not needed any more is released. */
export class AudioBuffer {
  #samples = new Float32Array(16_384)
  #start = 0
  #end = 0

  /** Position of the first sample that is kept. */
  get start(): number {
    return this.#start
  }

  /** Position after the last sample. */
  get end(): number {
    return this.#end
  }

  append(samples: Float32Array): void {
    const kept = this.#end - this.#start
    if (kept + samples.length > this.#samples.length) {
      const larger = new Float32Array(Math.max(2 * this.#samples.length, kept + samples.length))
      larger.set(this.#samples.subarray(0, kept))
      this.#samples = larger
    }
    this.#samples.set(samples, kept)
    this.#end += samples.length
  }

  /** A copy of `[from, to)`, as far as it is kept. */
  slice(from: number, to: number): Float32Array {
    const place = (position: number) => Math.min(Math.max(position, this.#start), this.#end) - this.#start
    return this.#samples.slice(place(from), place(to))
  }

  /** Forgets what lies before `position`. */
  release(position: number): void {
    const gone = Math.min(position, this.#end) - this.#start
    if (gone <= 0) return
    const kept = this.#samples.subarray(gone, this.#end - this.#start)
    this.#start += gone
    // What a long utterance needed is given back.
    if (this.#samples.length > 262_144 && kept.length < this.#samples.length / 8) {
      const smaller = new Float32Array(Math.max(2 * kept.length, 16_384))
      smaller.set(kept)
      this.#samples = smaller
    } else {
      this.#samples.copyWithin(0, gone, gone + kept.length)
    }
  }
}
