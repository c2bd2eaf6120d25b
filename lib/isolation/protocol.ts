import type { KeptOutcome } from '../backend/probe/kept.ts'
import type { TrialProgress } from '../backend/types.ts'
import type { Warning } from '../backend/warn.ts'
import type { LogEntry } from '../log.ts'
import type { Abilities } from '../model/abilities.ts'
import type { WeightType } from '../model/conversions.ts'
import type { Vocabulary } from '../model/plan.ts'
import type { ModelBackend, ModelInfo } from '../model/types.ts'
import type {
  NativeAudioSource,
  NativeEvents,
  NativeHypothesisOptions,
  NativeSegment,
  NativeTranscribeOptions,
} from '../native.ts'
import type { PackedError } from './pack-error.ts'

/**
 * What the application and the process of a model tell each other, over Node's IPC channel with structured clones.
 *
 * The process speaks first, see {@link Hello}. A job has a number. It begins with a {@link Request}, maybe after bytes for it, and ends with one `done` or `failed`.
 */

/** The inherited descriptor of a model that was given as bytes. 0..2 are the standard streams, 3 is the IPC channel. */
export const modelDescriptor = 4

/** Of the messages in this file. An application that runs while its package is replaced starts another version of the program. */
export const protocolVersion = 1

/** The first message of the process: the proof that it is the one that was started, by the token that is its argument. */
export interface Hello {
  type: 'hello'
  token: string
  protocol: number
}

/** Options of `loadModel()` that the process needs; all are checked. */
export interface ProcessLoadOptions {
  backend: 'auto' | 'hip' | 'cpu'
  device?: number | string
  allowPartial: boolean
  concurrency: number
  flashAttention: boolean
  weightType: 'auto' | WeightType
}

/** What begins a job. */
export type Request =
  /** Is done at once. */
  | { type: 'ping' }
  /** Fails when the policy rejects: before anything is downloaded. */
  | { type: 'decide'; backend: 'auto' | 'hip' | 'cpu'; device: number | string | undefined }
  /** `model`: an absolute path, the text of a file URL, or `null` for {@link modelDescriptor}. */
  | { type: 'load'; model: string | null; name: string; options: ProcessLoadOptions }
  | { type: 'transcribe'; audio: SentAudio; options: NativeTranscribeOptions }
  | { type: 'hypothesize'; audio: SentAudio; options: NativeHypothesisOptions }
  | { type: 'detectLanguage'; audio: SentAudio; threads: number; network: string }

/** Audio whose bytes, if it has any, went ahead of the request. */
export type SentAudio =
  | Extract<NativeAudioSource, { kind: 'file' }>
  | Omit<Extract<NativeAudioSource, { kind: 'bytes' }>, 'store'>
  | Omit<Extract<NativeAudioSource, { kind: 'pcm' }>, 'store'>

/** What a job tells before its end. */
export type JobEvents = Partial<NativeEvents> & { onTrial?: (progress: TrialProgress) => void }

export type ToProcess =
  | ({ job: number } & Request)
  | { type: 'bytes'; job: number; bytes: Uint8Array }
  /** Cancels a job, or forgets the bytes of one that was never requested. */
  | { type: 'cancel'; job: number }
  /** Whether anybody reads the log. */
  | { type: 'listen'; on: boolean }
  /** What only the application's process knows about GPUs. */
  | { type: 'verdicts'; known: [name: string, outcome: KeptOutcome][] }
  /** Frees everything and ends. */
  | { type: 'end' }

export type FromProcess =
  | Hello
  | { type: 'progress'; job: number; progress: number }
  | { type: 'trial'; job: number; progress: TrialProgress }
  | { type: 'segments'; job: number; segments: NativeSegment[] }
  | { type: 'done'; job: number; value: unknown }
  | { type: 'failed'; job: number; error: PackedError }
  | { type: 'log'; entry: LogEntry }
  | { type: 'warning'; warning: Warning }
  /** About a GPU, where it cannot be kept on disk; null: it does not hold any more. */
  | { type: 'verdict'; name: string; outcome: KeptOutcome | null }

/** What the process answers to `load`. */
export interface LoadedInProcess {
  info: ModelInfo
  backend: ModelBackend
  device: string
  weightBytes: Record<string, number>
  vocabularySize: number
  vocabulary: Vocabulary
  abilities: Abilities
  maxThreads: number
}
