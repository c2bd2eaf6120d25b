import type {
  NativeByteStore,
  NativeEvents,
  NativeHeard,
  NativeHypothesis,
  NativeHypothesisOptions,
  NativeLiveAudio,
  NativeModel,
  NativeResult,
  NativeSegment,
  NativeTask,
  NativeTranscribeOptions,
  NativeWord,
} from '../../../lib/native.ts'
import type { DecoderHost } from '../../../lib/stream/decoder.ts'
import { FRAME } from '../../../lib/stream/endpointer.ts'
import { parseTranscribeOptions } from '../../../lib/transcribe/options.ts'
import { Scheduler } from '../../../lib/transcribe/scheduler.ts'

/** Fakes of what live transcription stands on: nothing is computed, the test settles each decoding by hand. */

/** Lets all microtasks and one turn of the event loop pass. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** What every decoding gets; English, when nothing else is said. */
export function transcribeOptions(changed: Record<string, unknown> = {}): NativeTranscribeOptions {
  const model = { multilingual: true, languages: ['en', 'de'], vocabularySize: 51_865, maxThreads: 4 }
  return parseTranscribeOptions({ language: 'en', timestamps: 'word', ...changed }, model).native
}

/** Words of a text, of 0.3 s each and 0.1 s apart. The token of a word is its length. */
export function wordsOf(text: string, from = 0): NativeWord[] {
  const words = text.match(/\s*\S+/g) ?? []
  return words.map((word, i) => {
    const start = from + 0.4 * i
    return { text: word, start, end: start + 0.3, probability: 0.9, tokens: [word.length] }
  })
}

export function guessOf(text: string, changed: Partial<NativeHypothesis> = {}): NativeHypothesis {
  return {
    language: 'en',
    languageProbability: 1,
    words: wordsOf(text),
    continues: false,
    averageLogProbability: -0.2,
    noSpeechProbability: 0,
    compressionRatio: 1,
    repeats: false,
    gpuNodes: 0,
    cpuNodes: 10,
    wallSeconds: 0.5,
    ...changed,
  }
}

export function segmentOf(text: string, changed: Partial<NativeSegment> = {}): NativeSegment {
  const words = wordsOf(text)
  return {
    start: 0,
    end: words.at(-1)?.end ?? 0,
    text,
    temperature: 0,
    averageLogProbability: -0.1,
    compressionRatio: 1,
    noSpeechProbability: 0,
    language: 'en',
    tokens: words.map((word) => ({ id: word.text.length, text: word.text, probability: word.probability })),
    words,
    ...changed,
  }
}

class FakeStore implements NativeByteStore {
  samples = new Float32Array()

  append(view: Uint8Array | Int16Array | Float32Array): number {
    const all = new Float32Array(this.samples.length + view.length)
    all.set(this.samples)
    all.set(view, this.samples.length)
    this.samples = all
    return -1
  }

  get byteLength(): number {
    return 4 * this.samples.length
  }
}

/** A decoding that was asked for. Rejects when it is cancelled, as the addon does. */
export class FakeCall implements NativeTask<never> {
  readonly kind: 'guess' | 'careful'
  readonly samples: Float32Array
  readonly options: NativeHypothesisOptions & NativeTranscribeOptions
  done = false
  cancelled = false
  readonly result: Promise<never>
  readonly #events: NativeEvents | undefined
  #resolve!: (value: never) => void
  #reject!: (error: unknown) => void

  constructor(store: NativeByteStore, options: object, events?: NativeEvents) {
    this.kind = events === undefined ? 'guess' : 'careful'
    this.samples = (store as FakeStore).samples
    this.options = options as FakeCall['options']
    this.#events = events
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.result.catch(() => {})
  }

  get seconds(): number {
    return this.samples.length / 16_000
  }

  cancel(): void {
    this.cancelled = true
    this.fail(Object.assign(new Error('cancelled'), { code: 'ERR_CANCELLED' }))
  }

  fail(error: unknown): void {
    this.done = true
    this.#reject(error)
  }

  /** Ends with a text, or with more than that. */
  answer(text: string, changed: Partial<NativeHypothesis & NativeResult> = {}): void {
    if (this.kind === 'guess') this.#end(guessOf(text, changed))
    else this.answerSegments(text === '' ? [] : [segmentOf(text)], changed)
  }

  answerSegments(segments: NativeSegment[], changed: Partial<NativeResult> = {}): void {
    if (segments.length > 0) this.#events?.onSegments(segments)
    this.#end({
      language: 'en',
      languageProbability: 1,
      wallSeconds: 0.5,
      gpuNodes: 0,
      cpuNodes: 10,
      ...changed,
    })
  }

  #end(value: object): void {
    this.done = true
    this.#resolve(value as never)
  }
}

/** A fake model, and the real queue before it. */
export class FakeHost implements DecoderHost {
  readonly calls: FakeCall[] = []
  readonly stores = { ByteStore: FakeStore }
  readonly scheduler = new Scheduler(1)
  readonly model: Pick<NativeModel, 'hypothesize' | 'transcribe'> = {
    hypothesize: (source, options) => this.#ask(source, options),
    transcribe: (source, options, events) => this.#ask(source, options, events),
  }

  /** The decoding that runs now. */
  running(): FakeCall | undefined {
    return this.calls.find(({ done }) => !done)
  }

  #ask(source: Parameters<NativeModel['transcribe']>[0], options: object, events?: NativeEvents): FakeCall {
    if (source.kind !== 'pcm') throw new TypeError('a live stream decodes samples')
    const call = new FakeCall(source.store, options, events)
    this.calls.push(call)
    this.asked(call)
    return call
  }

  /** For those that answer by themselves. */
  protected asked(_call: FakeCall): void {}
}

/** A fake ear for 16-bit samples of 16 kHz: whatever is not silence is speech. */
export class FakeEar implements NativeLiveAudio {
  #bytes = Buffer.alloc(0)
  #frame: number[] = []

  push(bytes: Uint8Array): NativeHeard {
    const all = Buffer.concat([this.#bytes, bytes])
    const samples = Float32Array.from({ length: all.length >> 1 }, (_, i) => all.readInt16LE(2 * i) / 32_768)
    this.#bytes = all.subarray(2 * samples.length)
    this.#frame.push(...samples)
    const probabilities: number[] = []
    while (this.#frame.length >= FRAME) probabilities.push(this.#probability(this.#frame.splice(0, FRAME)))
    return { samples, probabilities: Float32Array.from(probabilities) }
  }

  finish(): NativeHeard {
    const rest = this.#frame.splice(0)
    return {
      samples: new Float32Array(),
      probabilities: Float32Array.from(rest.length > 0 ? [this.#probability(rest)] : []),
    }
  }

  #probability(frame: readonly number[]): number {
    return frame.some((sample) => sample !== 0) ? 1 : 0
  }
}

/** Bytes that a {@link FakeEar} hears speech in. */
export const loud = (seconds: number) => Buffer.alloc(2 * Math.round(16_000 * seconds), 0x10)
/** Bytes that it hears nothing in. */
export const quiet = (seconds: number) => Buffer.alloc(2 * Math.round(16_000 * seconds))
