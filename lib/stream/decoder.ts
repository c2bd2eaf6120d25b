import { finishTask } from '../finish-task.ts'
import type {
  NativeAddon,
  NativeHypothesis,
  NativeModel,
  NativeSegment,
  NativeTask,
  NativeTranscribeOptions,
} from '../native.ts'
import { PROMPT_TOKENS } from '../transcribe/prompt.ts'
import type { Scheduler } from '../transcribe/scheduler.ts'
import type { Warning } from '../warnings.ts'
import { LanguageLock } from './language-lock.ts'

/** What decodes for the streams of a model. */
export interface DecoderHost {
  stores: Pick<NativeAddon, 'ByteStore'>
  model: Pick<NativeModel, 'hypothesize' | 'transcribe'>
  /** Tokens of a text. */
  tokenize: (text: string) => number[]
  /** Shared by all streams of the model. */
  scheduler: Scheduler
}

/** How urgent work is: finals before partials, then what has waited longest. */
export interface Urgency {
  final: boolean
  /** When it was due, of `performance.now()`. */
  due: number
}

/** What a quick guess is asked. */
export interface GuessQuestion {
  /** What was said before the audio. */
  context: string
  /** Tokens that the text begins with. */
  prefix: number[]
  /** 1 = greedy. */
  beamSize: number
}

/** A careful transcription. */
export interface Careful {
  segments: NativeSegment[]
  language: string
  /** Times from the start of the samples. */
  warnings: Warning[]
}

const RATE = 16_000
/** Positions of 20 ms are encoded in blocks: see NativeHypothesisOptions. */
const BLOCK = 256
/** The model needs to hear that the speech ends … */
const MARGIN = 128
/** … and writes worse where it has less than 15 s before it, of whatever: base went from 5.4 % of wrong words to 7.7 % with 512. */
const LEAST_POSITIONS = 768
const ALL_POSITIONS = 1500
/** Nobody says more tokens in a second, in any language. */
const TOKENS_PER_SECOND = 12
/** Tokens that the decoder can have before it … */
const TEXT_CONTEXT = 448
/** … and of those, what is no text, and the least that is left to write: NativeHypothesisOptions.prompt is cut to it. */
const PROMPT_MARKS = 37

/** Decodes the audio of one stream, and measures how long that takes. */
export class Decoder {
  readonly #host: DecoderHost
  readonly #options: NativeTranscribeOptions
  readonly language: LanguageLock
  readonly #computed = { seconds: 0, gpuNodes: 0, cpuNodes: 0 }

  constructor(host: DecoderHost, options: NativeTranscribeOptions) {
    this.#host = host
    this.#options = options
    this.language = new LanguageLock(options.language)
  }

  /** Seconds of computing and graph nodes of all decodings so far. */
  get computed(): Readonly<{ seconds: number; gpuNodes: number; cpuNodes: number }> {
    return this.#computed
  }

  /** Beams of a careful decoding. */
  get beamSize(): number {
    return this.#options.beamSize
  }

  /** Whether a text looks like one that the model has made up or lost itself in. */
  isSuspicious({ repeats, averageLogProbability, compressionRatio }: NativeHypothesis): boolean {
    const { logProbThreshold, compressionRatioThreshold } = this.#options
    return repeats || averageLogProbability < logProbThreshold || compressionRatio > compressionRatioThreshold
  }

  /**
   * Guesses quickly, with an encoder pass that is as short as the audio.
   * @param samples at most 30 s at 16 kHz
   */
  guess(
    samples: Float32Array,
    question: GuessQuestion,
    urgency: Urgency,
    signal: AbortSignal,
  ): Promise<NativeHypothesis> {
    return this.#hypothesize(samples, question, shortestContext(samples.length), urgency, signal)
  }

  /** As {@link guess}, and once more with a full encoder pass when the text is suspicious. */
  async guessTwice(
    samples: Float32Array,
    question: GuessQuestion,
    urgency: Urgency,
    signal: AbortSignal,
  ): Promise<NativeHypothesis> {
    const guess = await this.guess(samples, question, urgency, signal)
    if (!this.isSuspicious(guess) || shortestContext(samples.length) === 0) return guess
    return this.#hypothesize(samples, question, 0, urgency, signal)
  }

  /** Transcribes as carefully as a file: beams, full windows, higher temperatures where a text is bad. */
  async transcribe(samples: Float32Array, urgency: Urgency, signal: AbortSignal): Promise<Careful> {
    const segments: NativeSegment[] = []
    const options = { ...this.#options, language: this.language.current }
    const events = {
      onSegments: (found: NativeSegment[]) => void segments.push(...found),
      onProgress: () => {},
    }
    const result = await this.#run(
      samples,
      (source) => this.#host.model.transcribe(source, options, events),
      urgency,
      signal,
    )
    this.#count(result)
    this.language.hear(result.language, result.languageProbability, samples.length / RATE)
    return { segments, language: result.language, warnings: result.warnings }
  }

  async #hypothesize(
    samples: Float32Array,
    { context, prefix, beamSize }: GuessQuestion,
    audioContext: number,
    urgency: Urgency,
    signal: AbortSignal,
  ): Promise<NativeHypothesis> {
    const { languages, suppressBlank, suppressNonSpeech, suppressTokens, threads, translate } = this.#options
    const seconds = samples.length / RATE
    const options = {
      language: this.language.current,
      languages,
      translate,
      prompt: this.#prompt(context, prefix.length),
      prefix,
      beamSize,
      audioContext,
      suppressBlank,
      suppressNonSpeech,
      suppressTokens,
      maxTokens: Math.ceil(8 + TOKENS_PER_SECOND * seconds),
      threads,
    }
    const hypothesis = await this.#run(
      samples,
      (source) => this.#host.model.hypothesize(source, options),
      urgency,
      signal,
    )
    this.#count(hypothesis)
    this.language.hear(hypothesis.language, hypothesis.languageProbability, seconds)
    return this.#isSilence(hypothesis) ? { ...hypothesis, words: [] } : hypothesis
  }

  /** The hints, and in the room that is left the end of what was said: the hints are for the whole stream. */
  #prompt(context: string, prefix: number): number[] {
    const { hotwords, initialPrompt } = this.#options
    const room = Math.max(Math.min(PROMPT_TOKENS, TEXT_CONTEXT - PROMPT_MARKS - prefix), 0)
    const hints = [...hotwords, ...initialPrompt].slice(0, room)
    const said = this.#host.tokenize(context)
    return [...hints, ...said.slice(Math.max(said.length + hints.length - room, 0))]
  }

  async #run<T>(
    samples: Float32Array,
    start: (source: { kind: 'pcm'; store: InstanceType<NativeAddon['ByteStore']> } & Pcm) => NativeTask<T>,
    { final, due }: Urgency,
    signal: AbortSignal,
  ): Promise<T> {
    const task = await this.#host.scheduler.start(
      () => {
        const store = new this.#host.stores.ByteStore()
        store.append(samples, false)
        return start({ kind: 'pcm', store, format: 'f32', sampleRate: RATE, channels: 1 })
      },
      signal,
      final ? due : due + AFTER_FINALS,
    )
    return finishTask(task, signal)
  }

  /** The rule of OpenAI's transcribe.py. */
  #isSilence({ noSpeechProbability, averageLogProbability }: NativeHypothesis): boolean {
    const { noSpeechThreshold, logProbThreshold } = this.#options
    return noSpeechProbability > noSpeechThreshold && averageLogProbability < logProbThreshold
  }

  #count({
    wallSeconds,
    gpuNodes,
    cpuNodes,
  }: {
    wallSeconds: number
    gpuNodes: number
    cpuNodes: number
  }): void {
    this.#computed.seconds += wallSeconds
    this.#computed.gpuNodes += gpuNodes
    this.#computed.cpuNodes += cpuNodes
  }
}

/** Positions that hold so many samples, 0 for all. */
function shortestContext(samples: number): number {
  const needed = Math.ceil(((50 * samples) / RATE + MARGIN) / BLOCK) * BLOCK
  const positions = Math.max(needed, LEAST_POSITIONS)
  return positions < ALL_POSITIONS ? positions : 0
}

interface Pcm {
  format: 'f32'
  sampleRate: number
  channels: number
}

/** More milliseconds than any process lives. */
const AFTER_FINALS = 1e15
