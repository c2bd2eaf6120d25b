import { WhisperHipError } from '../errors.ts'
import { closePlan, readModel } from './formats/index.ts'
import { rowBytes, typeName } from './ggml-types.ts'
import { locateModel } from './locate.ts'
import { memoryOf } from './memory.ts'
import { describeModel } from './parameters.ts'
import type { Hyperparameters, LoadPlan, ModelFormat } from './plan.ts'
import type { ModelInput } from './types.ts'

/** What a model is, or why it cannot be loaded. */
export type ModelReport =
  | {
      loads: true
      files: string[]
      fileBytes: number
      format: ModelFormat
      dialect: string
      architecture: string
      parameters: number
      name?: string
      license?: string
      hyperparameters: Hyperparameters
      vocabulary: { textTokens: number; bytes: number }
      languages: number
      /** Of the weights in memory. */
      weightType: string
      conversions: string[]
      /** By type in the file, largest first. */
      tensors: { type: string; count: number; bytes: number }[]
      /** Bytes on the device that computes, for one transcription at once with flash attention. */
      memory: { beams: number; weights: number; buffers: number; perState: number; total: number }[]
    }
  | { loads: false; code: string; message: string; advice: readonly string[] }

/** Beams of the estimates: greedy, and the default. */
const BEAMS = [1, 5] as const

/**
 * Looks at a model without loading it. What keeps it from loading is a part of the answer.
 * @throws whatever is no {@link WhisperHipError}, and the reason of the signal
 */
export async function describeInput(
  input: ModelInput,
  signal: AbortSignal,
): Promise<{ report: ModelReport; error?: WhisperHipError }> {
  try {
    const located = await locateModel(input, { signal })
    const plan = await readModel(located.input, { signal })
    try {
      return { report: reportOf(plan) }
    } finally {
      await closePlan(plan)
    }
  } catch (error) {
    if (!(error instanceof WhisperHipError)) throw error
    const { code, message, advice } = error
    return { report: { loads: false, code, message, advice }, error }
  }
}

function reportOf(plan: LoadPlan): ModelReport {
  const { hyperparameters, vocabulary, weightType, labels } = plan
  const { architecture, parameters, languages } = describeModel(hyperparameters)
  return {
    loads: true,
    files: plan.sources.filter(({ native }, i) => i === 0 || 'fd' in native).map(({ name }) => name),
    fileBytes: plan.sources.reduce(
      (sum, { size, native }, i) => sum + (i === 0 || 'fd' in native ? size : 0),
      0,
    ),
    format: plan.format,
    dialect: plan.dialect,
    architecture,
    parameters,
    ...(labels?.name !== undefined && { name: labels.name }),
    ...(labels?.license !== undefined && { license: labels.license }),
    hyperparameters,
    vocabulary: { textTokens: vocabulary.lengths.length, bytes: vocabulary.bytes.byteLength },
    languages: languages.length,
    weightType: typeName(weightType),
    conversions: plan.conversions,
    tensors: storedTypes(plan),
    memory: BEAMS.map((beams) => {
      const { weights, buffers, perState, total } = memoryOf({
        hyperparameters,
        weightType,
        beams,
        states: 1,
        windows: 1,
        flashAttention: true,
      })
      return { beams, weights, buffers, perState, total }
    }),
  }
}

function storedTypes({ tensors }: LoadPlan): { type: string; count: number; bytes: number }[] {
  const types = new Map<string, { type: string; count: number; bytes: number }>()
  for (const { shape, parts } of tensors) {
    for (const [i, part] of parts.entries()) {
      const type = typeName(part.type)
      const entry = types.get(type) ?? { type, count: 0, bytes: 0 }
      entry.count += i === 0 ? 1 : 0
      entry.bytes += part.rows * rowBytes(part.type, part.columns ?? (shape[0] as number))
      types.set(type, entry)
    }
  }
  return [...types.values()].sort((a, b) => b.bytes - a.bytes)
}
