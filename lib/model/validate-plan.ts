import { WhisperHipError } from '../errors.ts'
import { isFloat, rowBytes, typeName } from './ggml-types.ts'
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
  let bytes = 0
  for (const length of vocabulary.lengths) bytes += length
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
  let left = rows
  for (const part of tensor.parts) {
    validatePart(plan, tensor, part, length)
    left -= part.rows
  }
  demand(left === 0, plan, `the parts of tensor ${name} do not add up to ${rows} rows`)
}

function validatePart(plan: LoadPlan, tensor: PlanTensor, part: TensorPart, length: number): void {
  const convertible = isFloat(part.type) && isFloat(tensor.type)
  demand(part.type === tensor.type || convertible, plan, `tensor ${tensor.name} cannot be converted`)
  const bytes = rowBytes(part.type, length)
  demand(Number.isInteger(bytes) && part.rows > 0, plan, `tensor ${tensor.name} has broken rows`)
  const size = plan.sources[part.source]?.size ?? -1
  demand(
    part.offset >= 0 && part.offset + bytes * part.rows <= size,
    plan,
    `tensor ${tensor.name} lies outside its source`,
  )
}

function demand(condition: boolean, plan: LoadPlan, problem: string): asserts condition {
  if (condition) return
  throw new WhisperHipError(
    'ERR_INTERNAL',
    `The ${plan.format} reader made an invalid plan of '${plan.sources[0]?.name}': ${problem}`,
  )
}
