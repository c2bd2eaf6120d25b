import type { Warning } from '../warnings.ts'

/**
 * How speech is distinguished from everything else. Names and defaults are those of faster-whisper; with the defaults, pauses of up to two
 * seconds are part of the speech. `undefined` is the same as absent.
 */
export interface SpeechOptions {
  /**
   * Speech begins where its probability reaches this, 0..1. Higher values miss quiet speech, lower ones take noise for speech.
   * @defaultValue `0.5`
   */
  threshold?: number
  /**
   * Speech ends where its probability stays below this, 0 to {@link threshold}.
   * @defaultValue `threshold` - 0.15, at least 0.01
   */
  negThreshold?: number
  /**
   * Speech no longer than this is dropped, in milliseconds, 0..1000000.
   * @defaultValue `0`
   */
  minSpeechDurationMs?: number
  /**
   * Maximum length of a stretch of speech in seconds, including its padding, at least 1 and more than twice {@link speechPadMs}. A longer
   * one is cut at its quietest moment, the least probable frame of its second half. `Infinity` never cuts.
   * @defaultValue `Infinity`
   */
  maxSpeechDurationS?: number
  /**
   * Shorter pauses are part of the speech, in milliseconds, 0..1000000.
   * @defaultValue `2000`
   */
  minSilenceDurationMs?: number
  /**
   * Padding before and after each stretch of speech, in milliseconds, 0..60000. If the pause between two stretches is too short for both,
   * they share it.
   * @defaultValue `400`
   */
  speechPadMs?: number
}

/** Options of {@link detectSpeech}. */
export interface DetectSpeechOptions extends SpeechOptions {
  /** Aborts the detection: the promise rejects with `signal.reason`. */
  signal?: AbortSignal
}

/** A stretch of speech, in seconds from the start of the audio. */
export interface SpeechSegment {
  start: number
  end: number
}

/** What {@link detectSpeech} found. */
export interface SpeechDetection {
  /** Length of the audio in seconds. */
  duration: number
  /** Stretches of speech, in order and without overlap. */
  segments: SpeechSegment[]
  /** Probability of speech, 0..1, for every 32 milliseconds of the audio. */
  probabilities: Float32Array
  /** What makes the audio doubtful, such as damage; empty if all is well. */
  warnings: Warning[]
}
