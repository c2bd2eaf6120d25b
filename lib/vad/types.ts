import type { Warning } from '../warnings.ts'

/**
 * How speech is told from everything else. The names are those of faster-whisper, as are the defaults, which keep pauses of up to
 * two seconds within the speech. `undefined` is the same as absent.
 */
export interface SpeechOptions {
  /**
   * Speech begins where its probability reaches this, 0..1. Higher misses quiet speech, lower takes noise for speech.
   * @defaultValue `0.5`
   */
  threshold?: number
  /**
   * Speech ends where its probability stays below this, 0 to {@link threshold}.
   * @defaultValue `threshold` - 0.15, at least 0.01
   */
  negThreshold?: number
  /**
   * Speech that is not longer than this is dropped, in milliseconds, 0..1000000.
   * @defaultValue `0`
   */
  minSpeechDurationMs?: number
  /**
   * Longest piece of speech in seconds, with its padding, at least 1 and more than twice {@link speechPadMs}: a longer one is cut at its
   * quietest moment, the least probable frame of its second half. `Infinity` never cuts.
   * @defaultValue `Infinity`
   */
  maxSpeechDurationS?: number
  /**
   * A pause that is shorter is part of the speech, in milliseconds, 0..1000000.
   * @defaultValue `2000`
   */
  minSilenceDurationMs?: number
  /**
   * Added before and after each piece of speech, in milliseconds, 0..60000; two neighbours share a pause that is too short for both.
   * @defaultValue `400`
   */
  speechPadMs?: number
}

/** Options of {@link detectSpeech}. */
export interface DetectSpeechOptions extends SpeechOptions {
  /** Aborts: the promise rejects with `signal.reason`. */
  signal?: AbortSignal
}

/** A piece of speech in seconds from the start of the audio. */
export interface SpeechSegment {
  start: number
  end: number
}

/** What {@link detectSpeech} found. */
export interface SpeechDetection {
  /** Length of the audio in seconds. */
  duration: number
  /** In order, without overlap. */
  segments: SpeechSegment[]
  /** Probability of speech, 0..1, of each 32 milliseconds of the audio. */
  probabilities: Float32Array
  /** What makes the audio doubtful, e.g. that it is damaged: empty when all is well. */
  warnings: Warning[]
}
