import { textLines } from './cue-text.ts'
import type { Cue, LineFormat } from './types.ts'

/** Writes segments in a line format as they come. Those without text are left out, so that numbers have no gaps. */
export class CueWriter {
  readonly #format: LineFormat
  #number = 0

  constructor(format: LineFormat) {
    this.#format = format
  }

  /** What comes before the first segment. */
  get header(): string {
    return this.#format.header
  }

  /** The text of one more segment; empty when there is nothing to write. */
  next(cue: Cue): string {
    if (textLines(cue.text).length === 0) return ''
    this.#number += 1
    return this.#format.write(cue, this.#number)
  }
}
