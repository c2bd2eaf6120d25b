import type { Word } from '../transcribe/types.ts'
import type { Warning } from '../warnings.ts'

/**
 * Format of samples: signed 16-bit integers, or 32-bit floats with a full scale of 1. Little-endian, with interleaved channels.
 */
export type SampleFormat = 's16le' | 'f32le'

/**
 * When a live transcription begins and ends an utterance. The names are those of faster-whisper; the defaults are for live audio.
 */
export interface LiveSpeechOptions {
  /**
   * Speech begins where its probability reaches this, 0..1.
   * @defaultValue `0.5`
   */
  threshold?: number
  /**
   * Speech ends where its probability stays below this, 0 to {@link threshold}.
   * @defaultValue `threshold` - 0.15, at least 0.01
   */
  negThreshold?: number
  /**
   * Speech no longer than this does not count as an utterance, in milliseconds, 0..1000.
   * @defaultValue `100`
   */
  minSpeechDurationMs?: number
  /**
   * Length of the pause that ends an utterance, in milliseconds, 100..10000.
   * @defaultValue `500`
   */
  minSilenceDurationMs?: number
  /**
   * Padding kept before and after the speech, in milliseconds, 0..1000; after it, at most 200 and at most half of
   * {@link minSilenceDurationMs}.
   * @defaultValue `300`
   */
  speechPadMs?: number
  /**
   * Maximum length of an utterance in seconds, 5..30. A longer one ends at its quietest moment, and the next one continues from there.
   * @defaultValue `25`
   */
  maxSpeechDurationS?: number
}

/** Options of {@link Model.stream}. `undefined` is the same as absent. */
export interface StreamOptions {
  /**
   * Samples per second and channel, 1000..768000.
   * @defaultValue `16000`
   */
  sampleRate?: number
  /**
   * Number of interleaved channels, 1..64; their mean is transcribed.
   * @defaultValue `1`
   */
  channels?: number
  /**
   * Format of the samples.
   * @defaultValue `'s16le'`
   */
  format?: SampleFormat
  /**
   * How text becomes final. `phrase`: each utterance is decoded once, after it has ended, as carefully as a file; nothing is committed
   * before that. `agreement`: words are committed during speech, as soon as two consecutive decodings agree on them (LocalAgreement-2,
   * Macháček et al., 2023); the `final` event adds the rest. `alignatt`: words are committed after a single decoding, as soon as they lie
   * {@link frameThreshold} before the end of the audio (AlignAtt, Papi et al., 2023); the `final` event adds the rest.
   * @defaultValue `'phrase'`
   */
  policy?: 'phrase' | 'agreement' | 'alignatt'
  /**
   * How far a word must lie before the end of the audio so far to be committed by `alignatt`: a number of the model's positions of 20 ms,
   * 1..250. Smaller numbers are quicker and make more mistakes that stay. Only with {@link policy} `alignatt`.
   * @defaultValue `25`
   */
  frameThreshold?: number
  /**
   * Emit `partial` events during speech. Without them, `phrase` computes nothing before the end of an utterance.
   * @defaultValue `true`
   */
  partials?: boolean
  /**
   * Seconds of new audio between two decodings of the current utterance, 0.2..10. The interval grows if the machine is too slow.
   * @defaultValue `0.8`
   */
  step?: number
  /**
   * Distinguish speech from everything else with Silero VAD: `true`, or options. With `false`, all audio counts as speech and is cut at its
   * quietest moments.
   * @defaultValue `true`
   */
  vad?: boolean | LiveSpeechOptions
  /**
   * Language of the speech, as for {@link Model.transcribe}. With `auto`, it is detected from the first utterances until it is certain, and
   * then kept.
   * @defaultValue `'auto'`
   */
  language?: string | readonly string[]
  /** As for {@link Model.transcribe}. */
  task?: 'transcribe' | 'translate'
  /** Number of beams of the final decoding, as for {@link Model.transcribe}. */
  beamSize?: number
  /** Temperatures of the final decoding, as for {@link Model.transcribe}. */
  temperature?: number | readonly number[]
  /**
   * Text that precedes each utterance, to suggest spelling and style.
   * @defaultValue `''`
   */
  initialPrompt?: string
  /**
   * Words to expect, such as names.
   * @defaultValue `''`
   */
  hotwords?: string
  /** As for {@link Model.transcribe}. */
  suppressTokens?: readonly number[]
  /** As for {@link Model.transcribe}. */
  noSpeechThreshold?: number
  /** As for {@link Model.transcribe}. */
  logProbThreshold?: number
  /** As for {@link Model.transcribe}. */
  compressionRatioThreshold?: number | null
  /** Number of compute threads, as for {@link Model.transcribe}. */
  threads?: number
  /** Aborts the stream: it is destroyed with `signal.reason`. */
  signal?: AbortSignal
}

/**
 * What you read from a {@link LiveStream}. Times are seconds from the first sample written, counted in samples.
 *
 * Utterances have ascending numbers and do not overlap. Each has its events in this order: `speech-start`, `partial`s, `speech-end`,
 * `final`. If speech is too long for one utterance, the next one begins without `speech-end` and `speech-start`.
 */
export type StreamEvent =
  | SpeechStartEvent
  | PartialEvent
  | SpeechEndEvent
  | FinalEvent
  | WarningEvent
  | StreamStatsEvent

/** Someone began to speak. */
export interface SpeechStartEvent {
  type: 'speech-start'
  time: number
}

/** The text so far of the current utterance. If you have not read it, the next one of the same utterance replaces it. */
export interface PartialEvent {
  type: 'partial'
  utterance: number
  /** Number of this partial within the utterance, from 0; unread ones count as well. */
  revision: number
  /** Text that stays: it only grows at its end, and the text of the `final` begins with it. */
  committed: string
  /**
   * Text that may still change. If there is committed text, it begins with a space in languages that put spaces between words.
   */
  tentative: string
  /** The words of both, `committed` first. */
  words: Word[]
  /** How many of these words are committed. */
  committedWords: number
}

/** Speech has stopped. */
export interface SpeechEndEvent {
  type: 'speech-end'
  time: number
}

/**
 * The final text of an utterance. An utterance without words has none, unless a `partial` showed text: then the text of the `final` is
 * empty.
 */
export interface FinalEvent {
  type: 'final'
  utterance: number
  text: string
  words: Word[]
  /** Start of the audio that was decoded. */
  start: number
  end: number
  /** What ended it: a pause, the maximum length, a call of {@link LiveStream.flush}, or the end of the audio. */
  reason: 'silence' | 'max' | 'flush' | 'end'
  /** ISO 639 code of the language. */
  language: string
  /** Mean natural logarithm of the token probabilities, at most 0. */
  averageLogProbability: number
}

/**
 * Something that makes the text doubtful, or was done differently than you might expect. It may be emitted at any time, but each warning
 * only once.
 */
export interface WarningEvent extends Warning {
  type: 'warning'
}

/** How well the stream keeps up; emitted after each decoding. If you have not read it, the next one replaces it. */
export interface StreamStatsEvent {
  type: 'stats'
  /** Seconds of audio that have been written but not yet decoded. */
  lag: number
  /** Seconds of speech per second of computing so far: above 1, the machine can keep up. */
  realTimeFactor: number
  /** Seconds of audio held in memory. */
  bufferedSeconds: number
  /** Graph nodes that have run on the GPU so far, counted one by one. */
  gpuNodes: number
  /** Graph nodes that have run on the CPU so far, counted one by one. */
  cpuNodes: number
}
