import type { SpeechOptions } from '../vad/types.ts'
import type { Warning } from '../warnings.ts'

export type { AudioInput, ChunkStream, PcmAudio, PcmStream } from '../audio/types.ts'

/**
 * A running transcription: a promise of the whole result that is also an async iterable of its segments.
 *
 * It has started when you get it, and never starts again. Each iteration yields all segments from the first one on: those
 * decoded so far at once, the others as they come. Leaving a loop early (`break`, `return`, `throw`) cancels the transcription.
 *
 * When it fails, the promise and every iteration reject with the same error. A failure that is observed on neither side
 * becomes one `unhandledRejection`, as with any promise.
 */
export interface Transcription extends Promise<TranscriptionResult>, AsyncIterable<Segment> {
  /**
   * Stops the work; harmless when it has ended. The promise and every iteration reject with the reason at once, unread segments
   * are dropped; the device is free again within the encoding of one window.
   * @param reason what to reject with; default: a `DOMException` named `AbortError`
   */
  cancel(reason?: unknown): void
  /** How much of the audio is done, 0..1. It never decreases, and is 1 when the result is there. */
  readonly progress: number
}

/** What a {@link Transcription} resolves to. */
export interface TranscriptionResult {
  /** The texts of all segments, joined, without white space at the ends. */
  text: string
  /** ISO 639 code of the language, as given or as detected. */
  language: string
  /** Probability of the language, 0..1; 1 when it was given. */
  languageProbability: number
  /** Length of the audio in seconds. */
  duration: number
  segments: Segment[]
  /** What makes the result doubtful, or was done otherwise than one would expect: empty when all is well. */
  warnings: Warning[]
  stats: RunStats
}

/** A stretch of speech. Times are in seconds from the start of the audio. */
export interface Segment {
  /** Position in the result, from 0. */
  id: number
  start: number
  end: number
  /** The text as the model writes it: with a leading space in languages that put spaces between words. Valid Unicode always. */
  text: string
  /** The sampling temperature, 0..1, at which the text was accepted. */
  temperature: number
  /** Mean natural logarithm of the token probabilities, at most 0. */
  averageLogProbability: number
  /** Bytes of the text divided by its bytes after zlib: high for text that repeats itself. */
  compressionRatio: number
  /** Probability that the window holds no speech, 0..1. */
  noSpeechProbability: number
  tokens: Token[]
  /** With {@link TranscribeOptions.timestamps} `word`. */
  words?: Word[]
  /** ISO 639 code of the language. */
  language: string
  /** Number of the channel, from 0; with {@link TranscribeOptions.channel} `split`. */
  channel?: number
}

/** One token of the text. */
export interface Token {
  /** Number in the model's vocabulary. */
  id: number
  /** Text of the token; where a character spans several tokens, the last of them has all of it. */
  text: string
  /** 0..1 */
  probability: number
}

/** A word with its times in seconds from the start of the audio. */
export interface Word {
  text: string
  start: number
  end: number
  /** 0..1 */
  probability: number
}

/** What ran where, and how long it took. */
export interface RunStats {
  /** What computed. */
  backend: 'hip' | 'cpu'
  /** Name of the device. */
  device: string
  /** Executed graph nodes, counted one by one on the GPU … */
  gpuNodes: number
  /** … and on the CPU. */
  cpuNodes: number
  /** Names of the operations that ran on the CPU, e.g. `MUL_MAT`. */
  cpuOperations: string[]
  /** Length of the audio in seconds. */
  audioSeconds: number
  /** Time from the start of the work to its end in seconds, without waiting for other jobs of the model. */
  wallSeconds: number
  /** `audioSeconds / wallSeconds`: above 1 is faster than the speech. */
  realTimeFactor: number
  /**
   * Seconds spent in each phase: `decode` decoding the audio file, `ffmpeg` included; `mel` spectrogram; `vad` voice activity (0 with
   * {@link TranscribeOptions.maxTokens} or a grammar, where it is not asked for and the language is given); `encode` encoder; `prompt` decoder passes over prompts of 16 tokens or more; `sample` decoding and choosing tokens.
   */
  phases: { decode: number; mel: number; vad: number; encode: number; prompt: number; sample: number }
}

/** A part of the audio in seconds: an object, or a `[start, end]` pair. `end` may be left out for the end of the audio. */
export type Clip = { start: number; end?: number } | readonly [start: number, end?: number]

/**
 * Options of a transcription. `undefined` is the same as absent.
 *
 * An option that is unknown, has the wrong type, is out of its range, or is not supported by this version, is
 * `ERR_INVALID_ARGUMENT`: none is ever ignored.
 */
export interface TranscribeOptions {
  /**
   * Language of the speech: a code of ISO 639 such as `de` or `deu`, a tag of BCP 47 such as `pt-BR` (of which the first part counts), a
   * locale such as `de_DE.UTF-8`, or an English name such as `German`. `auto` detects it where somebody speaks first: in 30 seconds, and in more
   * of the speech, up to five times, while no language is more probable than all others together; a language that stays improbable is a
   * warning. An array restricts the detection to its languages. An English-only model knows `en` alone.
   * @defaultValue `'auto'`
   */
  language?: string | readonly string[]
  /**
   * `transcribe` writes the language that is spoken; `translate` writes English, which an English-only model cannot.
   * @defaultValue `'transcribe'`
   */
  task?: 'transcribe' | 'translate'
  /**
   * Beams of the search at temperature 0, 1 to 8; 1 is greedy decoding.
   * @defaultValue `5`
   */
  beamSize?: number
  /**
   * Samples drawn at each temperature above 0, of which the best is kept, 1 to 8.
   * @defaultValue `5`
   */
  bestOf?: number
  /**
   * Sampling temperature, 0..1, or an ascending list: the next one is tried when a text fails {@link logProbThreshold} or
   * {@link compressionRatioThreshold}.
   * @defaultValue `[0, 0.2, 0.4, 0.6, 0.8, 1]`
   */
  temperature?: number | readonly number[]
  /**
   * Exponent a, 0..10, of the length penalty ((5 + length) / 6)^a by which the log probability of a candidate is divided
   * (Wu et al., 2016). Absent: divided by its length.
   */
  lengthPenalty?: number
  /**
   * Words to expect, such as names, up to 10,000 characters: they are put before every window, as if they had been said before. The model takes
   * 223 tokens ({@link Model.tokenize}) of these and {@link initialPrompt} together: the first words that fit, and a warning `HOTWORDS_CUT` that
   * names the first one left out.
   * @defaultValue `''`
   */
  hotwords?: string
  /**
   * Text that comes before the speech, to hint at spelling and style, up to 10,000 characters: its end, as far as the model takes it beside
   * {@link hotwords}, and a warning `PROMPT_CUT` where that is not all of it. It is before the first window that has text.
   * @defaultValue `''`
   */
  initialPrompt?: string
  /**
   * Put {@link initialPrompt} before every window, not only before the first one.
   * @defaultValue `false`
   */
  carryInitialPrompt?: boolean
  /**
   * Give the text so far to the next window as its prompt. It can keep names consistent, and it can spread a loop. Text that took a
   * temperature above 0.5 is not given, as it is likely to be wrong.
   * @defaultValue `false`
   */
  conditionOnPreviousText?: boolean
  /**
   * Forbid a window to begin with a blank or to be empty.
   * @defaultValue `true`
   */
  suppressBlank?: boolean
  /**
   * Tokens that are never written, by their number; -1 stands for the set of symbols that are not spoken.
   * @defaultValue `[]`
   */
  suppressTokens?: readonly number[]
  /**
   * Tokens that are never written: those whose whole text matches this expression of up to 256 characters. A token often
   * begins with a space. The ECMAScript syntax without look-behind, back-references, named groups, Unicode escapes and
   * flags; `.` and negated classes match one byte of UTF-8.
   */
  suppressRegex?: string | RegExp
  /** A grammar in GBNF that the text has to follow, up to 65,536 characters. */
  grammar?: string
  /**
   * The rule of {@link grammar} to begin with.
   * @defaultValue `'root'`
   */
  grammarRule?: string
  /**
   * How much a token outside {@link grammar} loses in log probability, 0..1000.
   * @defaultValue `100`
   */
  grammarPenalty?: number
  /** Most tokens written for a window of 30 seconds, 1..448. Absent: as many as the model can. */
  maxTokens?: number
  /**
   * `segment` gives each segment its own times; `word` also each word, and each segment those of its words, from the attention of the model (OpenAI's alignment by dynamic time
   * warping), which costs one more pass of the decoder for each window; `none` does not ask the model for times, and each window of 30 seconds is
   * one segment.
   * @defaultValue `'segment'`
   */
  timestamps?: 'segment' | 'word' | 'none'
  /**
   * Most characters (code points) of a segment, 1..10000: a longer one is split between words, and its time is shared out by
   * length of text. A single longer word stays whole. The figures of the segment are copied to its parts. Absent: no splitting.
   */
  maxSegmentLength?: number
  /**
   * Which channels are heard: `mix` is the mean of all, in which a channel that is the inverse of the others is turned over; a number, from 0, is
   * that one alone; `split` transcribes each channel as a recording of its own, one after the other, and names it in {@link Segment.channel}. The
   * segments of `split` are in the order of time, and come while the last channel is transcribed.
   * @defaultValue `'mix'`
   */
  channel?: 'mix' | 'split' | number
  /**
   * Which audio track of a container is taken: its number among the audio tracks, from 0, or its language as a code such as `de` or `deu`.
   * Absent: the one that the container calls its default, else the first.
   */
  track?: number | string
  /**
   * Where to begin in the audio, in seconds, 0..1000000. Not together with {@link clips}.
   * @defaultValue `0`
   */
  offset?: number
  /** How much to transcribe from {@link offset} on, in seconds, above 0. Absent: to the end. Not together with {@link clips}. */
  duration?: number
  /** Parts of the audio to transcribe, in order and without overlap. Segment times are those of the whole audio. */
  clips?: readonly Clip[]
  /**
   * Transcribe only what Silero VAD takes for speech, inside of {@link clips} or {@link offset} and {@link duration} where they are given:
   * `true`, or options. The language is detected from the first speech. Audio without speech gives no text and is not
   * computed on the GPU at all. Times are those of the whole audio.
   * @defaultValue `false`
   */
  vad?: boolean | SpeechOptions
  /**
   * A window is taken for silence when its no-speech probability is above this, 0..1, and its text fails
   * {@link logProbThreshold}. 1 turns it off.
   * @defaultValue `0.6`
   */
  noSpeechThreshold?: number
  /**
   * A text whose average log probability is below this, at most 0, is decoded again at the next {@link temperature}.
   * `-Infinity` turns it off.
   * @defaultValue `-1`
   */
  logProbThreshold?: number
  /**
   * A text whose compression ratio is above this, at least 1, is decoded again at the next {@link temperature}. `null` turns
   * it off.
   * @defaultValue `2.4`
   */
  compressionRatioThreshold?: number | null
  /** Threads to compute with, from 1 to the size of the process-wide pool. Absent: all of them. */
  threads?: number
  /** Aborts the transcription: it rejects with `signal.reason`. */
  signal?: AbortSignal
  /**
   * Called with {@link Transcription.progress}, 0..1, whenever it has grown, and at the end with 1. If it throws, or returns
   * a promise that rejects while the transcription runs, that is cancelled and rejects with that error.
   */
  onProgress?: (progress: number) => void
  /** Called with each segment in order. Failures are those of `onProgress`. */
  onSegment?: (segment: Segment) => void

  /** Only 1, the plain beam search, in this version. */
  patience?: 1
  /** Only 1, no penalty, in this version. */
  repetitionPenalty?: 1
  /** Only 0, off, in this version. */
  noRepeatNgramSize?: 0
  /** Only '', none, in this version. */
  prefix?: ''
  /** Only `null`, off, in this version. */
  hallucinationSilenceThreshold?: null
  /** Only 1, one window after the other, in this version. */
  batchSize?: 1
  /** Only `false`, off, in this version. */
  diarize?: false
}
