import { closeSync, fstatSync, ftruncateSync, openSync, writeFileSync } from 'node:fs'
import { CueWriter } from '../../output/cue-writer.ts'
import type { Cue, LineFormat } from '../../output/types.ts'

/**
 * A file of subtitles or text that is complete after each cue, so that it can be read, copied and served meanwhile. What has been
 * written stays written when the process ends in whatever way.
 */
export class GrowingFile {
  readonly #cues: CueWriter
  readonly #file: number
  /** Devices and pipes have no length that could be restored. */
  readonly #regular: boolean
  #length = 0

  /** Replaces a file that is there. */
  constructor(path: string, format: LineFormat) {
    this.#cues = new CueWriter(format)
    this.#file = openSync(path, 'w')
    this.#regular = fstatSync(this.#file).isFile()
    this.#write(this.#cues.header)
  }

  add(cue: Cue): void {
    this.#write(this.#cues.next(cue))
  }

  close(): void {
    closeSync(this.#file)
  }

  #write(text: string): void {
    try {
      // Goes on after a write that took a part only.
      writeFileSync(this.#file, text)
      this.#length += Buffer.byteLength(text)
    } catch (error) {
      if (this.#regular) ftruncateSync(this.#file, this.#length)
      throw error
    }
  }
}
