import { captureCaller } from '../../../lib/backend/native-error.ts'
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
import { LiveStream } from '../../../lib/stream/live-stream.ts'
import { parseStreamOptions } from '../../../lib/stream/options.ts'
import type { StreamEvent, StreamOptions } from '../../../lib/stream/types.ts'
import { parseTranscribeOptions } from '../../../lib/transcribe/options.ts'
import { Scheduler } from '../../../lib/transcribe/scheduler.ts'

/** Fakes of what live transcription stands on: nothing is computed, the test settles each decoding by hand. */

/** Lets all microtasks and one turn of the event loop pass. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** What a promise rejects with, or undefined. */
export const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

/** Waits until a stream is closed, without taking its error for its own. */
export const closed = async ({ live }: Pick<Opened, 'live'>) => {
  while (!live.closed) await settled()
}

/** A token for each character: its code. */
export const tokenize = (text: string) => [...text].map((character) => character.codePointAt(0) ?? 0)

/** What every decoding gets; English, when nothing else is said. */
export function transcribeOptions(changed: Record<string, unknown> = {}): NativeTranscribeOptions {
  const model = {
    multilingual: true,
    languages: ['en', 'de'],
    vocabularySize: 51_865,
    tokenize,
    maxThreads: 4,
  }
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

  read(): Uint8Array {
    return new Uint8Array(this.samples.buffer)
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
      warnings: [],
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
  readonly tokenize = tokenize
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

/** A fake ear, to which each byte is a frame: 0 is silence, 255 surely speech. A sample of it tells its position. */
export class FakeEar implements NativeLiveAudio {
  #position = 0

  push(bytes: Uint8Array): NativeHeard {
    const first = this.#position
    this.#position += bytes.length * FRAME
    const samples = new Float32Array(bytes.length * FRAME)
    for (let i = 0; i < samples.length; i++) samples[i] = first + i
    return {
      samples,
      probabilities: Float32Array.from(bytes, (byte) => byte / 255),
      warnings: [],
    }
  }

  finish(): NativeHeard {
    return { samples: new Float32Array(), probabilities: new Float32Array(), warnings: [] }
  }
}

/** Seconds of a frame. */
export const SECONDS = FRAME / 16_000
/** Frames of which a {@link FakeEar} hears that somebody speaks. */
export const loud = (frames: number) => Buffer.alloc(frames, 255)
/** Frames of which it cannot tell. */
export const murmur = (frames: number) => Buffer.alloc(frames, 110)
/** Frames in which it hears nothing. */
export const quiet = (frames: number) => Buffer.alloc(frames)

export type Opened = ReturnType<typeof openStream>

/** A live transcription of fakes, in English, and without partials where nothing else is said. */
export function openStream(
  options: StreamOptions = {},
  host = new FakeHost(),
  ear: NativeLiveAudio = new FakeEar(),
) {
  const facts = {
    multilingual: true,
    languages: ['en', 'de'],
    vocabularySize: 51_865,
    tokenize,
    maxThreads: 4,
  }
  const parsed = parseStreamOptions({ language: 'en', partials: false, ...options }, facts)
  const live = new LiveStream(host, ear, parsed, captureCaller(openStream))
  return {
    host,
    live,
    /** Writes, and lets what is decoded then begin. */
    async say(...bytes: Buffer[]): Promise<void> {
      live.write(Buffer.concat(bytes))
      await settled()
    },
    /** The decoding that runs ends with a text. */
    async answer(...answered: Parameters<FakeCall['answer']>): Promise<FakeCall> {
      const call = host.running()
      if (call === undefined) throw new Error('nothing is decoded')
      call.answer(...answered)
      await settled()
      return call
    },
  }
}

/** Reads all events from now on. */
export function readAll(live: LiveStream): StreamEvent[] {
  const events: StreamEvent[] = []
  live.on('data', (event: StreamEvent) => events.push(event))
  return events
}

/** Events in short, without the statistics: `partial 0 "So" " it"`, `final 0 "So it is."`. */
export function inShort(events: readonly StreamEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.type === 'stats') return []
    if (event.type === 'partial')
      return [
        `partial ${event.utterance} ${JSON.stringify(event.committed)} ${JSON.stringify(event.tentative)}`,
      ]
    if (event.type === 'final')
      return [`final ${event.utterance} ${JSON.stringify(event.text)} ${event.reason}`]
    if (event.type === 'warning') return [`warning ${event.code}`]
    return [`${event.type} ${Math.round(event.time / SECONDS)}`]
  })
}
