import { FRAME } from './endpointer.ts'

/** The energy of each frame: what tells quiet moments where there is no voice activity. */
export class Loudness {
  /** Samples of a frame that is not complete. */
  #rest = new Float32Array(0)

  /** @returns the energy of each frame that is complete with these samples */
  push(samples: Float32Array): number[] {
    const all = new Float32Array(this.#rest.length + samples.length)
    all.set(this.#rest)
    all.set(samples, this.#rest.length)
    const frames: number[] = []
    let at = 0
    for (; at + FRAME <= all.length; at += FRAME) {
      frames.push(all.subarray(at, at + FRAME).reduce((sum, sample) => sum + sample * sample, 0))
    }
    this.#rest = all.slice(at)
    return frames
  }
}
