import { Duplex } from 'node:stream'
import type { StreamEvent } from '../../../../lib/stream/types.ts'

/**
 * A fake of a live transcription: hears an utterance in every two bytes that are written, and says what is left at the end. No
 * model is involved.
 */
export class FakeLiveStream extends Duplex {
  readonly written: Buffer[] = []
  #heard = 0

  constructor() {
    super({ readableObjectMode: true, readableHighWaterMark: 1 })
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk)
    for (let i = 0; i < chunk.length; i += 2) this.#say(chunk.toString('latin1', i, i + 2))
    done()
  }

  override _final(done: () => void): void {
    this.#say('the end')
    this.push(null)
    done()
  }

  override _read(): void {}

  #say(text: string): void {
    const event: StreamEvent = {
      type: 'final',
      utterance: this.#heard,
      text,
      words: [],
      start: this.#heard,
      end: this.#heard + 1,
      reason: 'silence',
      language: 'en',
      averageLogProbability: 0,
    }
    this.#heard += 1
    this.push(event)
  }
}
