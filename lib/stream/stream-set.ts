import { AbortController } from '../abort.ts'
import { addon } from '../backend/addon.ts'
import { WhisperHipError } from '../errors.ts'
import { Scheduler } from '../transcribe/scheduler.ts'
import { Decoder, type DecoderHost } from './decoder.ts'
import { LiveStream } from './live-stream.ts'
import type { ParsedStreamOptions } from './options.ts'

/** A decoding uses all threads, or the GPU, alone: two at once would both be late. */
const AT_ONCE = 1

const DEFAULT_MOST = 64

/** The live transcriptions of a model. It does not keep them alive: those that were forgotten or destroyed count no more. */
export class StreamSet {
  readonly #host: DecoderHost
  readonly #most: number
  readonly #open = new Set<WeakRef<LiveStream>>()
  readonly #closing = new AbortController()
  #isWarm = false

  constructor(host: Omit<DecoderHost, 'scheduler'>, most = DEFAULT_MOST) {
    this.#host = { ...host, scheduler: new Scheduler(AT_ONCE) }
    this.#most = most
  }

  /** @throws `ERR_TOO_MANY_STREAMS`, and what the addon throws */
  open(options: ParsedStreamOptions, caller: { stack?: string }): LiveStream {
    for (const stream of this.#open) {
      if (stream.deref()?.destroyed !== false) this.#open.delete(stream)
    }
    if (this.#open.size >= this.#most) {
      throw new WhisperHipError(
        'ERR_TOO_MANY_STREAMS',
        `The model already has ${this.#open.size} live transcriptions, of at most ${this.#most}`,
        {
          advice: [
            'End streams with finish() or destroy() when they are done',
            'Raise maxStreams of loadModel()',
          ],
        },
      )
    }
    const { format, sampleRate, channels, network } = options
    const ear = new (addon().native.LiveAudio)({ format, sampleRate, channels, network })
    const stream = new LiveStream(this.#host, ear, options, caller)
    this.#open.add(new WeakRef(stream))
    this.#warmUp(options)
    return stream
  }

  /** Ends all of them. */
  abandon(error: Error): void {
    this.#closing.abort(error)
    for (const stream of [...this.#open]) stream.deref()?.abandon(error)
  }

  /** The first decoding loads kernels and makes its caches: that is done before the first word. */
  #warmUp({ transcribe }: ParsedStreamOptions): void {
    if (this.#isWarm) return
    this.#isWarm = true
    const decoder = new Decoder(this.#host, { ...transcribe, language: transcribe.language || 'en' })
    const question = { context: '', prefix: [], beamSize: 1 }
    const urgency = { final: false, due: 0 }
    // What fails here fails again, and is told, when there is speech.
    decoder.guess(new Float32Array(16_000), question, urgency, this.#closing.signal).catch(() => {})
  }
}
