import type { NativeAddon, NativeModel } from '../native.ts'
import type { Abilities } from './abilities.ts'
import type { Vocabulary } from './plan.ts'
import type { ModelBackend, ModelInfo } from './types.ts'

/** What a model has to know beside what it tells. */
export interface ModelSetup {
  vocabularySize: number
  vocabulary: Vocabulary
  abilities: Abilities
  /** Size of the process-wide pool of compute threads. */
  maxThreads: number
  /** Transcriptions at once. */
  concurrency: number
  /** Live transcriptions at once. */
  maxStreams: number | undefined
  /** Takes audio to where the model is. */
  stores: Pick<NativeAddon, 'ByteStore'>
}

/** What a {@link Model} is made of. */
export interface LoadedModel {
  native: NativeModel
  info: ModelInfo
  backend: ModelBackend
  setup: ModelSetup
}
