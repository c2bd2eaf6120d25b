import type { SpeechOptions } from '../vad/types.ts'
import type { Warning } from '../warnings.ts'

export type { AudioInput, ChunkStream, PcmAudio, PcmStream } from '../audio/types.ts'

/**
 * A running transcription: a promise of the whole result that is also an async iterable of its segments.
 *
 * It has already started when you get it, and never starts again. Each iteration yields all segments from the first: those already decoded
 * at once, the others as they arrive. Leaving a loop early (`break`, `return`, `throw`) cancels the transcription.
 *
 * If it fails, the promise and every iteration reject with the same error. If nothing handles it, there is one `unhandledRejection`, as
 * with any promise.
 */
export interface Transcription extends Promise<TranscriptionResult>, AsyncIterable<Segment> {
  /**
   * Stops the work; harmless if it has already ended. The promise and every iteration reject with the reason at once, and unread segments
   * are dropped. The device is free again within the time it takes to encode one window.
   * @param reason what to reject with; default: a `DOMException` named `AbortError`
   */
  cancel(reason?: unknown): void
  /** How much of the audio is done, 0..1. It never decreases, and is 1 once the result is available. */
  readonly progress: number
}

/** What a {@link Transcription} resolves to. */
export interface TranscriptionResult {
  /** The texts of all segments, joined and trimmed. */
  text: string
  /** ISO 639 code of the language, as given or as detected. */
  language: string
  /** Probability of the language, 0..1; 1 if it was given. */
  languageProbability: number
  /** Length of the audio in seconds. */
  duration: number
  segments: Segment[]
  /** What makes the result doubtful or was done differently than you might expect; empty if all is well. */
  warnings: Warning[]
  stats: RunStats
}

/** A stretch of speech. Times are in seconds from the start of the audio. */
export interface Segment {
  /** Position in the result, from 0. */
  id: number
  start: number
  end: number
  /** The text as the model writes it, with a leading space in languages that put spaces between words. Always valid Unicode. */
  text: string
  /** The sampling temperature, 0..1, at which the text was accepted. */
  temperature: number
  /** Mean natural logarithm of the token probabilities, at most 0. */
  averageLogProbability: number
  /** Size of the text divided by its size after zlib compression: high for text that repeats itself. */
  compressionRatio: number
  /** Probability that the window contains no speech, 0..1. */
  noSpeechProbability: number
  tokens: Token[]
  /** Present with {@link TranscribeOptions.timestamps} `word`. */
  words?: Word[]
  /** ISO 639 code of the language. */
  language: string
  /** Number of the channel, from 0; present with {@link TranscribeOptions.channel} `split`. */
  channel?: number
  /** Who speaks, with {@link TranscribeOptions.diarize}; absent if both sides are about equally loud. */
  speaker?: Speaker
}

/** A side of a stereo recording: its first channel is the left one. */
export type Speaker = 'left' | 'right'

/** One token of the text. */
export interface Token {
  /** Number in the model's vocabulary. */
  id: number
  /** Text of the token. If a character spans several tokens, the last of them contains the whole character. */
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
  /** As {@link Segment.speaker}. */
  speaker?: Speaker
}

/** What ran where, and how long it took. */
export interface RunStats {
  /** The backend that did the work. */
  backend: 'hip' | 'cpu'
  /** Name of the device. */
  device: string
  /** Graph nodes that ran on the GPU, counted one by one. */
  gpuNodes: number
  /** Graph nodes that ran on the CPU, counted one by one. */
  cpuNodes: number
  /** Names of the operations that ran on the CPU, e.g. `MUL_MAT`. */
  cpuOperations: string[]
  /** Length of the audio in seconds. */
  audioSeconds: number
  /** Seconds from the start of the work to its end, without the time spent waiting for other jobs of the model. */
  wallSeconds: number
  /** `audioSeconds / wallSeconds`: above 1 is faster than real time. */
  realTimeFactor: number
  /**
   * Seconds spent in each phase: `decode` decoding the audio file, including `ffmpeg`; `mel` the spectrogram; `vad` voice activity
   * detection (0 with {@link TranscribeOptions.maxTokens} or a grammar, if it is not requested and the language is given); `encode` the
   * encoder; `prompt` decoder passes over prompts of 16 tokens or more; `sample` decoding and choosing tokens.
   */
  phases: { decode: number; mel: number; vad: number; encode: number; prompt: number; sample: number }
}

/** A part of the audio in seconds: an object, or a `[start, end]` pair. Without `end`, it extends to the end of the audio. */
export type Clip = { start: number; end?: number } | readonly [start: number, end?: number]

/**
 * Options of a transcription. `undefined` is the same as absent.
 *
 * An option that is unknown, has the wrong type, is out of range, or cannot be combined with another gives `ERR_INVALID_ARGUMENT`: no option
 * is ever ignored.
 */
export interface TranscribeOptions {
  /**
   * Language of the speech: an ISO 639 code such as `de` or `deu`, a BCP 47 tag such as `pt-BR` (only its first part counts), a locale such
   * as `de_DE.UTF-8`, or an English name such as `German`. `auto` detects it where someone first speaks: in 30 seconds, and in more of the
   * speech, up to five times, as long as no language is more probable than all others together. If none becomes so, there is a warning. An
   * array restricts the detection to its languages. An English-only model supports only `en`.
   * @defaultValue `'auto'`
   */
  language?: string | readonly string[]
  /**
   * `transcribe` writes the language that is spoken; `translate` translates into English, which English-only models cannot do.
   * @defaultValue `'transcribe'`
   */
  task?: 'transcribe' | 'translate'
  /**
   * Beams of the search at temperature 0, 1 to 32; 1 is greedy decoding.
   * @defaultValue `5`
   */
  beamSize?: number
  /**
   * How long the beam search goes on, 0.1..10: it ends when it has {@link beamSize} times this many finished candidates, rounded, which
   * must be at least 1 (Kasai et al., 2022). Greedy decoding has nothing to wait for.
   * @defaultValue `1`
   */
  patience?: number
  /**
   * Candidates sampled at each temperature above 0, 1 to 32; the best one is kept.
   * @defaultValue `5`
   */
  bestOf?: number
  /**
   * Sampling temperature, 0..1, or an ascending list: the next one is tried if a text fails {@link logProbThreshold} or
   * {@link compressionRatioThreshold}.
   * @defaultValue `[0, 0.2, 0.4, 0.6, 0.8, 1]`
   */
  temperature?: number | readonly number[]
  /**
   * Start of the random numbers for temperatures above 0, an integer from 0 to 2^53 - 1. The same seed, audio, options and device give the same
   * text.
   * @defaultValue `0`
   */
  seed?: number
  /**
   * Exponent a, 0..10, of the length penalty ((5 + length) / 6)^a. The log probability of a candidate is divided by this penalty (Wu et
   * al., 2016), or by the candidate's length if the option is absent.
   */
  lengthPenalty?: number
  /**
   * Make tokens that the window already has less likely (above 1) or more likely (below 1), 0.1..10: a positive score is divided by this, a
   * negative one multiplied (Keskar et al., 2019). 1 is off.
   * @defaultValue `1`
   */
  repetitionPenalty?: number
  /**
   * Never write the same sequence of this many tokens twice in a window, 1..32. 0 is off. Small numbers also prevent what is really said
   * twice.
   * @defaultValue `0`
   */
  noRepeatNgramSize?: number
  /**
   * Words to expect, such as names, up to 10,000 characters. They are put before every window, as if they had just been said. The model
   * takes 223 tokens ({@link Model.tokenize}) of hotwords and {@link initialPrompt} together. If the hotwords do not fit, the first ones
   * that do are used, and a `HOTWORDS_CUT` warning names the first one left out.
   * @defaultValue `''`
   */
  hotwords?: string
  /**
   * Text that precedes the speech, to suggest spelling and style, up to 10,000 characters. It is put before the first window that has text.
   * If it does not fit beside {@link hotwords}, only its end is used, with a `PROMPT_CUT` warning.
   * @defaultValue `''`
   */
  initialPrompt?: string
  /**
   * Beginning of the text of the first window, up to 111 tokens ({@link Model.tokenize}): what is known to be said there. The model
   * continues from it; the result has only what follows. With {@link channel} `split`, every channel begins with it.
   * @defaultValue `''`
   */
  prefix?: string
  /**
   * Put {@link initialPrompt} before every window, not only before the first.
   * @defaultValue `false`
   */
  carryInitialPrompt?: boolean
  /**
   * Give each window the text so far as its prompt. This can keep names consistent, but can also spread a loop. Text that needed a
   * temperature above 0.5 is left out, because it is likely to be wrong.
   * @defaultValue `false`
   */
  conditionOnPreviousText?: boolean
  /**
   * Do not let a window begin with a blank or be empty.
   * @defaultValue `true`
   */
  suppressBlank?: boolean
  /**
   * Numbers of tokens that are never written; -1 stands for all symbols that are not spoken.
   * @defaultValue `[]`
   */
  suppressTokens?: readonly number[]
  /**
   * Tokens whose whole text matches this expression of up to 256 characters are never written. Tokens often begin with a space. The syntax
   * is ECMAScript's without look-behind, back-references, named groups, Unicode escapes and flags; `.` and negated classes match one byte
   * of UTF-8.
   */
  suppressRegex?: string | RegExp
  /** A GBNF grammar that the text must follow, up to 65,536 characters. */
  grammar?: string
  /**
   * The rule of {@link grammar} to start from.
   * @defaultValue `'root'`
   */
  grammarRule?: string
  /**
   * How much log probability a token outside {@link grammar} loses, 0..1000.
   * @defaultValue `100`
   */
  grammarPenalty?: number
  /** Maximum number of tokens written for a window of 30 seconds, 1..448. Absent: as many as the model supports. */
  maxTokens?: number
  /**
   * `segment` gives each segment its times. `word` gives each word its times as well, and takes the times of segments from their words; it
   * uses the attention of the model (OpenAI's alignment by dynamic time warping), which costs one more pass of the decoder per window.
   * `none` does not ask the model for times, and each window of 30 seconds is one segment.
   * @defaultValue `'segment'`
   */
  timestamps?: 'segment' | 'word' | 'none'
  /**
   * Maximum length of a segment in characters (code points), 1..10000. A longer one is split between words, and its time is divided in
   * proportion to the length of the text. A single longer word stays whole. The parts keep the probabilities and other figures of the
   * segment. Absent: no splitting.
   */
  maxSegmentLength?: number
  /**
   * Which channels are transcribed. `mix` is the mean of all; a channel that is the inverse of the others is inverted first. A number, from
   * 0, is that channel alone. `split` transcribes each channel as a separate recording, one after another, and gives its number in
   * {@link Segment.channel}; segments are in order of time, and arrive while the last channel is being transcribed.
   * @defaultValue `'mix'`
   */
  channel?: 'mix' | 'split' | number
  /**
   * Which audio track of a container is transcribed: its number among the audio tracks, from 0, or its language as a code such as `de` or
   * `deu`. Absent: the container's default track, otherwise the first.
   */
  track?: number | string
  /**
   * Where in the audio to begin, in seconds, 0..1000000. Cannot be combined with {@link clips}.
   * @defaultValue `0`
   */
  offset?: number
  /**
   * How much to transcribe from {@link offset} on, in seconds, above 0. Absent: to the end. Cannot be combined with {@link clips}.
   */
  duration?: number
  /** Parts of the audio to transcribe, in order and without overlap. Segment times still refer to the whole audio. */
  clips?: readonly Clip[]
  /**
   * Transcribe only what Silero VAD recognises as speech (within {@link clips}, or {@link offset} and {@link duration}, if given): `true`,
   * or options. The language is detected from the first speech. Audio without speech gives no text and never reaches the GPU. Times still
   * refer to the whole audio.
   * @defaultValue `false`
   */
  vad?: boolean | SpeechOptions
  /**
   * A window counts as silence if its no-speech probability is above this, 0..1, and its text fails {@link logProbThreshold}. 1 turns it
   * off.
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
  /**
   * Skip silence of more than this many seconds, at least 0, around text that the model has probably invented: words that are improbable, or
   * unusually short or long for their text. Needs {@link timestamps} `word`. `null` turns it off.
   * @defaultValue `null`
   */
  hallucinationSilenceThreshold?: number | null
  /**
   * How many windows are decoded at once, 1..64. More are faster, above all on a GPU, and need more memory. A recording is cut in its longest
   * pauses into stretches of about a minute or more; the windows of each follow one another. `auto` does so from two minutes on, with as
   * many as memory allows, ten at most. It decodes one window after another with {@link conditionOnPreviousText} or
   * {@link hallucinationSilenceThreshold}, which need the text before; with these, a number above 1 is an error. With {@link maxTokens} or
   * {@link grammar} too one window follows another.
   * @defaultValue `'auto'`
   */
  batchSize?: 'auto' | number
  /**
   * `stereo` tells two speakers apart in a recording with one on each channel: the louder side of a segment, and of a word, is its
   * {@link Segment.speaker}. The channels are mixed to transcribe them, so this needs {@link channel} `mix`, and takes no longer. If both
   * speak at the same time, use `channel: 'split'` instead. Audio with one channel gives the warning `DIARIZE_MONO`.
   * @defaultValue `false`
   */
  diarize?: 'stereo' | false
  /** Number of compute threads, from 1 to the size of the process-wide pool. Absent: all of them. */
  threads?: number
  /** Aborts the transcription: it rejects with `signal.reason`. */
  signal?: AbortSignal
  /**
   * Called with {@link Transcription.progress}, 0..1, whenever it has grown, and with 1 at the end. If it throws, or returns a promise that
   * rejects during the transcription, the transcription is cancelled and rejects with that error.
   */
  onProgress?: (progress: number) => void
  /** Called with each segment in order. Errors are handled as for `onProgress`. */
  onSegment?: (segment: Segment) => void
}
