import { rowBytes } from './ggml-types.ts'
import type { LoadPlan, PlanTensor } from './plan.ts'
import { requiredTensors } from './required-tensors.ts'

/** Where everything lies in a file that is to be written. */
export interface FileLayout {
  size: number
  /** Tables: all that is no weight. */
  pieces: { offset: number; bytes: Uint8Array }[]
  /** Of the plan's tensors, in their order. */
  offsets: Float64Array
}

/** The plan with its tensors in whisper.cpp's order, so that what is written does not depend on the order of the source. */
export function inCommonOrder(plan: LoadPlan): LoadPlan {
  const byName = new Map(plan.tensors.map((tensor) => [tensor.name, tensor]))
  const tensors = requiredTensors(plan.hyperparameters).map(({ name }) => byName.get(name) as PlanTensor)
  return { ...plan, tensors }
}

/** Bytes of a tensor in its type in memory, which is its type in the file. */
export function tensorBytes({ type, shape }: PlanTensor): number {
  const [length, ...others] = shape as [number, ...number[]]
  return others.reduce((product, size) => product * size, rowBytes(type, length))
}
