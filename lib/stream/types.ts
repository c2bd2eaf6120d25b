import type { Word } from '../transcribe/types.ts'
import type { Warning } from '../warnings.ts'

/** How samples are written: signed 16-bit integers, or 32-bit floats of which 1 is full scale. Little-endian, channels interleaved. */
export type SampleFormat = 's16le' | 'f32le'

/** When a live transcription begins and ends an utterance. The names are those of faster-whisper, the defaults are for live audio. */
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
   * Speech that is not longer than this is no utterance, in milliseconds, 0..1000.
   * @defaultValue `100`
   */
  minSpeechDurationMs?: number
  /**
   * The pause that ends an utterance, in milliseconds, 100..10000.
   * @defaultValue `500`
   */
  minSilenceDurationMs?: number
  /**
   * Kept before and after the speech, in milliseconds, 0..1000; after it at most 200 and half of {@link minSilenceDurationMs}.
   * @defaultValue `300`
   */
  speechPadMs?: number
  /**
   * Longest utterance in seconds, 5..30. A longer one ends at its quietest moment, and the next one goes on from there.
   * @defaultValue `25`
   */
  maxSpeechDurationS?: number
}

/** Options of {@link Model.stream}. `undefined` is the same as absent. */
export interface StreamOptions {
  /**
   * Samples a second for each channel, 1000..768000.
   * @defaultValue `16000`
   */
  sampleRate?: number
  /**
   * Interleaved channels, 1..64; their mean is transcribed.
   * @defaultValue `1`
   */
  channels?: number
  /**
   * How the samples are written.
   * @defaultValue `'s16le'`
   */
  format?: SampleFormat
  /**
   * How text becomes final. `phrase`: each utterance is decoded once, when it has ended, as carefully as a file; nothing is committed before.
   * `agreement`: words are committed while they are spoken, as soon as two decodings in a row agree on them (LocalAgreement-2, Macháček et
   * al., 2023); the final adds the rest.
   * @defaultValue `'phrase'`
   */
  policy?: 'phrase' | 'agreement'
  /**
   * Emit `partial` events while somebody speaks. Without them `phrase` computes nothing before the end of an utterance.
   * @defaultValue `true`
   */
  partials?: boolean
  /**
   * Seconds of new audio between two decodings of an utterance that goes on, 0.2..10. They come further apart when the machine is slower.
   * @defaultValue `0.8`
   */
  step?: number
  /**
   * Tell speech from everything else with Silero VAD: `true`, or options. Without it all audio is one speech, which is cut at its quietest
   * moments.
   * @defaultValue `true`
   */
  vad?: boolean | LiveSpeechOptions
  /**
   * Language of the speech as for {@link Model.transcribe}. It is detected from the first utterances until it is sure, and then kept.
   * @defaultValue `'auto'`
   */
  language?: string | readonly string[]
  /** As for {@link Model.transcribe}. */
  task?: 'transcribe' | 'translate'
  /** Beams of the final decoding. As for {@link Model.transcribe}. */
  beamSize?: number
  /** Temperatures of the final decoding. As for {@link Model.transcribe}. */
  temperature?: number | readonly number[]
  /**
   * Text that comes before each utterance, to hint at spelling and style.
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
  /** Threads to compute with. As for {@link Model.transcribe}. */
  threads?: number
  /** Aborts: the stream is destroyed with `signal.reason`. */
  signal?: AbortSignal
}

/**
 * What a {@link LiveStream} says. Times are seconds from the first sample that was written, counted in samples.
 *
 * Utterances have ascending numbers and do not overlap. The events of one come in this order: `speech-start`, `partial`s, `speech-end`,
 * `final`. Where speech goes on for too long for one utterance, the next one begins without `speech-end` and `speech-start`.
 */
export type StreamEvent =
  | SpeechStartEvent
  | PartialEvent
  | SpeechEndEvent
  | FinalEvent
  | WarningEvent
  | StreamStatsEvent

/** Somebody began to speak. */
export interface SpeechStartEvent {
  type: 'speech-start'
  time: number
}

/**
 * What was understood so far of an utterance that goes on. An unread one is replaced by the next of the same utterance.
 */
export interface PartialEvent {
  type: 'partial'
  utterance: number
  /** Counts the partials of the utterance that were made, read or not, from 0. */
  revision: number
  /** What stays: it only ever grows at its end, and `final.text` begins with it. */
  committed: string
  /** What may still change. Where something is committed it begins with a space, in languages that put spaces between words. */
  tentative: string
  /** The words of both. */
  words: Word[]
  /** How many of them are committed. */
  committedWords: number
}

/** Nobody speaks any more. */
export interface SpeechEndEvent {
  type: 'speech-end'
  time: number
}

/**
 * An utterance, once and for all. There is none for an utterance in which nothing was said, unless a `partial` had shown text: then its text
 * is empty.
 */
export interface FinalEvent {
  type: 'final'
  utterance: number
  text: string
  words: Word[]
  /** The piece of the audio that was decoded. */
  start: number
  end: number
  /** A pause, the greatest length, a call of {@link LiveStream.flush}, or the end of the audio. */
  reason: 'silence' | 'max' | 'flush' | 'end'
  /** ISO 639 code. */
  language: string
  /** Mean natural logarithm of the token probabilities, at most 0. */
  averageLogProbability: number
}

/** Something that makes the text doubtful, or was done otherwise than one would expect; the same is said once. It may come at any time. */
export interface WarningEvent extends Warning {
  type: 'warning'
}

/** How the stream keeps up; after each decoding. An unread one is replaced by the next. */
export interface StreamStatsEvent {
  type: 'stats'
  /** Seconds of audio that were written and are not decoded yet. */
  lag: number
  /** Seconds of speech for each second of computing, so far: above 1 the machine can keep up. */
  realTimeFactor: number
  /** Seconds of audio that are kept. */
  bufferedSeconds: number
  /** Executed graph nodes so far, counted one by one on the GPU … */
  gpuNodes: number
  /** … and on the CPU. */
  cpuNodes: number
}
