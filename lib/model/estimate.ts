import { captureCaller, toLibraryError } from '../backend/native-error.ts'
import { checkBoolean, checkEnum, checkInteger, checkOptions, checkSignal } from '../check.ts'
import { WEIGHT_TYPES, type WeightType, weightTypeNames } from './conversions.ts'
import { closePlan, readModel } from './formats/index.ts'
import { typeName } from './ggml-types.ts'
import { locateModel } from './locate.ts'
import { memoryOf } from './memory.ts'
import type { ModelInput } from './types.ts'

/** Options of {@link estimateMemory}. */
export interface EstimateOptions {
  /**
   * Type of the weights in memory, as in {@link LoadOptions}.
   * @defaultValue `'auto'`
   */
  weightType?: 'auto' | WeightType
  /**
   * Number of candidates decoded side by side: the larger of the transcription's `beamSize` and `bestOf`, 1..32.
   * @defaultValue `5`
   */
  beamSize?: number
  /**
   * Number of transcriptions at once, 1..16.
   * @defaultValue `1`
   */
  concurrency?: number
  /**
   * Windows of each transcription that are decoded together, as its `batchSize`, 1..64: each one has caches of its own. A model works at no
   * more than ten windows at once, and with `batchSize: 'auto'` at fewer of them where memory is short.
   * @defaultValue `1`
   */
  batchSize?: number
  /**
   * Whether the fused attention kernels are used.
   * @defaultValue `true`
   */
  flashAttention?: boolean
  /**
   * Never touch the network: a model given by name or URL must be in the cache.
   * @defaultValue `false`
   */
  offline?: boolean
  signal?: AbortSignal
}

/** What {@link estimateMemory} resolves to: bytes of memory on the device that computes. */
export interface MemoryNeed {
  /** The weights, once per model. */
  weights: number
  /** What all transcriptions use together while they compute, once per model. It grows with what is decoded at once. */
  buffers: number
  /** Caches for the windows and candidates of each transcription that runs at the same time. */
  perTranscription: number
  /** All of it. Less than the sum where a model does not work at so many windows at once. */
  total: number
  /** Type of the weights in memory. */
  weightType: string
}

/**
 * Says how much memory a model will need, computed from its shape, without loading it. Only the tables of the file are read; a model given
 * by name or URL is downloaded if it is not in the cache. What the driver and its libraries need is not included.
 *
 * @throws {@link WhisperHipError} as {@link loadModel}
 */
export async function estimateMemory(input: ModelInput, options: EstimateOptions = {}): Promise<MemoryNeed> {
  const caller = captureCaller(estimateMemory)
  try {
    return await estimate(input, options)
  } catch (error) {
    throw toLibraryError(error, caller)
  }
}

async function estimate(input: ModelInput, options: unknown): Promise<MemoryNeed> {
  const given = checkOptions(
    options,
    ['weightType', 'beamSize', 'concurrency', 'batchSize', 'flashAttention', 'offline', 'signal'],
    'estimateMemory()',
  )
  const weightType = checkEnum(given.weightType ?? 'auto', 'weightType', ['auto', ...weightTypeNames])
  const beams = checkInteger(given.beamSize ?? 5, 'beamSize', 1, 32)
  const states = checkInteger(given.concurrency ?? 1, 'concurrency', 1, 16)
  const windows = checkInteger(given.batchSize ?? 1, 'batchSize', 1, 64)
  const flashAttention = checkBoolean(given.flashAttention ?? true, 'flashAttention')
  const offline = checkBoolean(given.offline ?? false, 'offline')
  const signal = given.signal === undefined ? {} : { signal: checkSignal(given.signal, 'signal') }
  const located = await locateModel(input, { offline, ...signal })
  const plan = await readModel(located.input, { weightType, ...signal })
  await closePlan(plan)
  const type = weightType === 'auto' ? plan.weightType : WEIGHT_TYPES[weightType]
  const { weights, buffers, perState, total } = memoryOf({
    hyperparameters: plan.hyperparameters,
    weightType: type,
    beams,
    states,
    windows,
    flashAttention,
  })
  return { weights, buffers, perTranscription: perState, total, weightType: typeName(type) }
}
