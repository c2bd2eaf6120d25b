import { WhisperHipError } from '../errors.ts'
import { rowBytes, typeLayout, typeName } from './ggml-types.ts'
import { SPECTRUM_BINS } from './mel.ts'
import type { LoadPlan, PlanTensor, TensorPart } from './plan.ts'
import { memoryType, type RequiredTensor, requiredTensors } from './required-tensors.ts'
import { endOfText } from './tokenizer.ts'

/**
 * The last check, common to all formats: what the executor of the plan relies on. The readers have refused bad files
 * before with better words, so that a failure here is a fault of a reader.
 *
 * @throws WhisperHipError `ERR_INTERNAL`
 */
export function validatePlan(plan: LoadPlan): void {
  const { hyperparameters, melFilters, vocabulary, tensors } = plan
  demand(
    melFilters.length === hyperparameters.melBins * SPECTRUM_BINS,
    plan,
    'the mel filters have the wrong size',
  )
  demand(
    vocabulary.lengths.length <= endOfText(hyperparameters.vocabularySize),
    plan,
    'the vocabulary is too long',
  )
  const bytes = vocabulary.lengths.reduce((sum, length) => sum + length, 0)
  demand(vocabulary.bytes.byteLength === bytes, plan, 'the vocabulary has the wrong size')

  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  const required = requiredTensors(hyperparameters)
  demand(
    tensors.length === required.length,
    plan,
    `it has ${tensors.length} tensors in place of ${required.length}`,
  )
  for (const tensor of required) validateTensor(plan, tensor, byName.get(tensor.name))
}

function validateTensor(plan: LoadPlan, required: RequiredTensor, tensor: PlanTensor | undefined): void {
  const { name, shape, kind } = required
  demand(tensor !== undefined, plan, `tensor ${name} is missing`)
  demand(`${tensor.shape}` === `${shape}`, plan, `tensor ${name} has the wrong shape`)
  demand(
    tensor.type === memoryType(kind, plan.weightType),
    plan,
    `tensor ${name} has type ${typeName(tensor.type)}`,
  )
  const [length, ...others] = shape as [number, ...number[]]
  const rows = others.reduce((product, size) => product * size, 1)
  let left = rows * length
  for (const part of tensor.parts) {
    const columns = part.columns ?? length
    validatePart(plan, tensor, part, columns)
    left -= part.rows * columns
  }
  demand(left === 0, plan, `the parts of tensor ${name} do not add up to ${rows} rows`)
}

/** Largest part with strides: the executor reads it as a whole. */
export const MAX_STRIDED_BYTES = 64 << 20

function validatePart(plan: LoadPlan, tensor: PlanTensor, part: TensorPart, length: number): void {
  const { name, shape } = tensor
  const isFlat = part.columns !== undefined
  const isPlain = part.scale === undefined && part.strides === undefined
  demand(
    !isFlat || (isPlain && typeLayout(tensor.type).block === 1),
    plan,
    `tensor ${name} cannot be stored flat`,
  )
  const bytes = rowBytes(part.type, length)
  demand(Number.isInteger(bytes) && part.rows > 0, plan, `tensor ${name} has broken rows`)
  demand(
    Number.isInteger(rowBytes(tensor.type, length)),
    plan,
    `tensor ${name} cannot be ${typeName(tensor.type)}`,
  )
  const within = (source: number, offset: number, size: number) =>
    offset >= 0 && offset + size <= (plan.sources[source]?.size ?? -1)
  demand(within(part.source, part.offset, bytes * part.rows), plan, `tensor ${name} lies outside its source`)
  const { scale, strides } = part
  if (scale !== undefined) {
    demand(
      scale.count > 0 && part.rows % scale.count === 0,
      plan,
      `tensor ${name} has scales that do not fit`,
    )
    demand(
      within(scale.source, scale.offset, 4 * scale.count),
      plan,
      `tensor ${name} has scales outside their source`,
    )
  }
  if (strides === undefined) return
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? Number.NaN), 0)
  const elements = shape.reduce((product, size) => product * size, 1)
  demand(
    strides.length === shape.length &&
      tensor.parts.length === 1 &&
      typeLayout(part.type).block === 1 &&
      bytes * part.rows <= MAX_STRIDED_BYTES &&
      last === elements - 1,
    plan,
    `tensor ${name} is stored in an order that does not exist`,
  )
}

function demand(condition: boolean, plan: LoadPlan, problem: string): asserts condition {
  if (condition) return
  throw new WhisperHipError(
    'ERR_INTERNAL',
    `The ${plan.format} reader made an invalid plan of '${plan.sources[0]?.name}': ${problem}`,
  )
}
