import type { StoredType, TensorPart } from './plan.ts'

/** A tensor as a checkpoint stores it. */
export interface StoredTensor {
  /** Index into `Checkpoint.sources`. */
  source: number
  /** Byte offset in the source. */
  offset: number
  type: StoredType
  /** ggml order, fastest dimension first, of the tensor as Whisper has it. */
  shape: readonly number[]
  /** Divisors of stored integers: see {@link TensorPart}. */
  scale?: TensorPart['scale']
  /** For values in another order: see {@link TensorPart}. */
  strides?: number[]
}
