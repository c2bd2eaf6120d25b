import type { Choice } from '../backend/policy.ts'
import { generalAdvice } from '../backend/preflight/advice.ts'
import { WhisperHipError } from '../errors.ts'
import type { NativeAddon } from '../native.ts'
import { WEIGHT_TYPES, type WeightType, weightTypeNames } from './conversions.ts'
import { typeLayout, typeName } from './ggml-types.ts'
import { memoryOf } from './memory.ts'
import type { GgmlType, LoadPlan } from './plan.ts'
import { shapeNames, shapeOf } from './shapes.ts'

/** What the device that computes has left, in bytes. */
interface Room {
  device: string
  free: number
}

/** Candidates that there is room for: those that the engine reserves memory of a GPU for, and one where memory is taken as it is used. */
const LEAST_BEAMS = { hip: 5, cpu: 1 }

/**
 * Refuses a model that does not fit with the caches of one transcription, before anything of it is read. What a driver does not tell is
 * not guessed.
 *
 * @throws {@link WhisperHipError} `ERR_OUT_OF_MEMORY` with what is needed, what is free, and what would fit
 */
export async function requireMemory(
  native: Pick<NativeAddon, 'gpuMemory'>,
  plan: LoadPlan,
  choice: Choice,
  flashAttention: boolean,
): Promise<void> {
  const room = await roomOf(native, choice)
  if (room === null) return
  const need = (weightType: GgmlType, hyperparameters = plan.hyperparameters) =>
    memoryOf({
      hyperparameters,
      weightType,
      beams: LEAST_BEAMS[choice.active],
      states: 1,
      windows: 1,
      flashAttention,
    }).total
  const needed = need(plan.weightType)
  if (needed <= room.free) return
  const fitting = smallerType(plan, (type) => need(type) <= room.free)
  const smaller = shapeNames.findLast((name) => need(plan.weightType, shapeOf(name)) <= room.free)
  throw new WhisperHipError(
    'ERR_OUT_OF_MEMORY',
    `The model '${plan.sources[0]?.name}' needs ${megabytes(needed)} as ${typeName(plan.weightType)} for one transcription at a time, and ${room.device} has ${megabytes(room.free)} free`,
    {
      reason: 'OUT_OF_MEMORY',
      advice: [
        ...(fitting === null ? [] : [`Load it with { weightType: '${fitting}' }, which fits`]),
        ...(smaller === undefined
          ? []
          : [`The largest model that fits as ${typeName(plan.weightType)} is ${smaller}`]),
        ...generalAdvice('OUT_OF_MEMORY').slice(1),
      ],
    },
  )
}

async function roomOf(
  native: Pick<NativeAddon, 'gpuMemory'>,
  { active, ordinal }: Choice,
): Promise<Room | null> {
  if (active === 'cpu') return { device: 'this machine', free: process.availableMemory() }
  const { free, total } = await native.gpuMemory(ordinal)
  return total === 0 ? null : { device: 'the GPU', free }
}

/** The type with the most bits that is smaller than the plan's and fits. */
function smallerType(plan: LoadPlan, fits: (type: GgmlType) => boolean): WeightType | null {
  const bits = (type: GgmlType) => (8 * typeLayout(type).bytes) / typeLayout(type).block
  const candidates = weightTypeNames
    .filter((name) => bits(WEIGHT_TYPES[name]) < bits(plan.weightType))
    .filter((name) => plan.hyperparameters.audioState % typeLayout(WEIGHT_TYPES[name]).block === 0)
    .sort((a, b) => bits(WEIGHT_TYPES[b]) - bits(WEIGHT_TYPES[a]))
  return candidates.find((name) => fits(WEIGHT_TYPES[name])) ?? null
}

const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`
