import { WhisperHipError } from '../errors.ts'
import { typeLayout, typeName } from './ggml-types.ts'
import { FileOnlyType, GgmlType, type LoadPlan, type PlanTensor, type StoredType } from './plan.ts'
import { memoryType, requiredTensors, type TensorKind } from './required-tensors.ts'

/** Types that weights can be loaded as, with the names that the option `weightType` and `whisper-hip convert --type` take. */
export const WEIGHT_TYPES = {
  f32: GgmlType.F32,
  f16: GgmlType.F16,
  bf16: GgmlType.BF16,
  q8_0: GgmlType.Q8_0,
  q5_0: GgmlType.Q5_0,
  q5_1: GgmlType.Q5_1,
  q4_0: GgmlType.Q4_0,
  q4_1: GgmlType.Q4_1,
  q4_k: GgmlType.Q4_K,
  q5_k: GgmlType.Q5_K,
  q6_k: GgmlType.Q6_K,
} as const satisfies Record<string, GgmlType>
/** A type for weights in memory: `f32`, `f16`, `bf16`, `q8_0`, `q5_0`, `q5_1`, `q4_0`, `q4_1`, `q4_k`, `q5_k` or `q6_k`. */
export type WeightType = keyof typeof WEIGHT_TYPES
export const weightTypeNames = Object.keys(WEIGHT_TYPES) as WeightType[]

/** Types of more than 8 bits. */
const WIDE: readonly StoredType[] = [GgmlType.F32, GgmlType.F16, GgmlType.BF16, FileOnlyType.I16]

const IN_MEMORY: readonly StoredType[] = Object.values(GgmlType)

/**
 * Type in memory of weights that are stored in these types, when none is asked for: f16 for floats and int16, the one quantised type
 * that they have, q8_0 for int8 and a mixture of types of at most 8 bits, f16 for a mixture with wider ones. f32 becomes f16 because OpenAI's f32 weights are f16
 * numbers, so that nothing is lost; `weightType: 'f32'` keeps those of others. Weights are never quantised to fewer bits.
 */
function weightTypeInMemory(stored: ReadonlySet<StoredType>, rows: readonly number[]): GgmlType {
  if ([...stored].some((type) => WIDE.includes(type))) return GgmlType.F16
  const [only, ...others] = stored
  if (only !== undefined && others.length === 0 && IN_MEMORY.includes(only)) return only as GgmlType
  const { block } = typeLayout(GgmlType.Q8_0)
  return rows.every((length) => length % block === 0) ? GgmlType.Q8_0 : GgmlType.F16
}

/** A tensor of which it is known where it lies. */
export type LocatedTensor = Omit<PlanTensor, 'type'> & { kind: TensorKind }

/** Gives tensors their types in memory, by the rules of {@link weightTypeInMemory}. */
export function typedTensors(
  located: readonly LocatedTensor[],
): Pick<LoadPlan, 'weightType' | 'tensors' | 'conversions'> {
  const weights = located.filter(({ kind }) => kind === 'weight')
  const stored = new Set(weights.flatMap(({ parts }) => parts.map(({ type }) => type)))
  const weightType = weightTypeInMemory(
    stored,
    weights.map(({ shape }) => shape[0] as number),
  )
  const tensors = located.map(({ name, shape, kind, parts }) => ({
    name,
    shape,
    parts,
    type: memoryType(kind, weightType),
  }))
  return { weightType, tensors, conversions: conversionsOf(tensors) }
}

/**
 * The plan with its weights in another type.
 * @throws {@link WhisperHipError} `ERR_MODEL_UNSUPPORTED` when the rows of this model do not fit the type's blocks
 */
export function withWeightType(plan: LoadPlan, wanted: WeightType): LoadPlan {
  const weightType = WEIGHT_TYPES[wanted]
  const kinds = new Map(requiredTensors(plan.hyperparameters).map(({ name, kind }) => [name, kind]))
  const { block } = typeLayout(weightType)
  const state = plan.hyperparameters.audioState
  if (state % block !== 0) {
    throw new WhisperHipError(
      'ERR_MODEL_UNSUPPORTED',
      `The model '${plan.sources[0]?.name}' cannot be loaded as ${wanted}: its rows have ${state} values, where ${wanted} stores blocks of ${block}`,
      { advice: ['Use q8_0, q5_0 or q4_0, whose blocks have 32 values'] },
    )
  }
  const tensors = plan.tensors.map((tensor) => ({
    ...tensor,
    type: memoryType(kinds.get(tensor.name) as TensorKind, weightType),
  }))
  const notes = plan.conversions.filter((note) => !/^\d+ tensors /.test(note))
  return { ...plan, weightType, tensors, conversions: [...notes, ...conversionsOf(tensors)] }
}

/** One note for each pair of types, e.g. `149 tensors f16 -> f32`. */
function conversionsOf(tensors: readonly PlanTensor[]): string[] {
  const counts = new Map<string, number>()
  for (const { type, parts } of tensors) {
    const stored = parts[0]?.type as StoredType
    if (stored === type) continue
    const pair = `${typeName(stored)} -> ${typeName(type)}`
    counts.set(pair, (counts.get(pair) ?? 0) + 1)
  }
  return [...counts].map(([pair, count]) => `${count} tensors ${pair}`)
}
