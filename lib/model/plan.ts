import type { GenerationAdvice } from './generation.ts'
import type { ByteSource } from './source.ts'

/** ggml_type numbers of whisper.cpp v1.9.1 that weights may have in memory. */
export const GgmlType = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q5_0: 6,
  Q5_1: 7,
  Q8_0: 8,
  Q2_K: 10,
  Q3_K: 11,
  Q4_K: 12,
  Q5_K: 13,
  Q6_K: 14,
  BF16: 30,
} as const
export type GgmlType = (typeof GgmlType)[keyof typeof GgmlType]

/** Further types that data may have in a file, from which it is converted. */
export const FileOnlyType = {
  IQ4_NL: 20,
  IQ4_XS: 23,
  I8: 24,
  I16: 25,
  MXFP4: 39,
} as const
export type StoredType = GgmlType | (typeof FileOnlyType)[keyof typeof FileOnlyType]

/** The shape of a Whisper model, in whisper.cpp's order. */
export interface Hyperparameters {
  vocabularySize: number
  audioContext: number
  audioState: number
  audioHeads: number
  audioLayers: number
  textContext: number
  textState: number
  textHeads: number
  textLayers: number
  melBins: number
}

/** Raw bytes of the base tokens (without specials), ids = position. One buffer, not 50,000. */
export interface Vocabulary {
  bytes: Uint8Array
  lengths: Uint32Array
}

/** A run of whole rows of a tensor in a source. */
export interface TensorPart {
  /** Index into {@link LoadPlan.sources}. */
  source: number
  /** Byte offset in the source. */
  offset: number
  /** Type of the stored data. */
  type: StoredType
  rows: number
  /** What stored integers are divided by: f32 values, each for the same number of rows. */
  scale?: { source: number; offset: number; count: number }
  /**
   * In elements, one for each dimension of the tensor (ggml order), when the values are stored in another order. Then the tensor has
   * one part, of at most 64 MiB, of a type without blocks.
   */
  strides?: number[]
  /** Values in a stored row, when blocks run across rows of the tensor: a quantised kernel of a convolution, which is stored flat. */
  columns?: number
}

export interface PlanTensor {
  /** Name in whisper.cpp's legacy convention, e.g. `encoder.blocks.0.attn.query.weight`. */
  name: string
  /** ggml order, fastest dimension first. */
  shape: number[]
  /** Type in memory: F32 for 1-D, bias and positional tensors, F16 for convolutions, `weightType` else. */
  type: GgmlType
  /** Stacked along the rows; rows add up to elements / shape[0]. */
  parts: TensorPart[]
}

/** File format of a model. */
export type ModelFormat = 'ggml' | 'gguf' | 'safetensors' | 'ctranslate2' | 'pytorch' | 'onnx' | 'flax'

/** Everything a reader found out about a model, checked: what to load, from where, into which type. */
export interface LoadPlan {
  format: ModelFormat
  /** Variant of the format, e.g. `binary version 6`. */
  dialect: string
  hyperparameters: Hyperparameters
  /** [melBins, 201] row-major. */
  melFilters: Float32Array
  vocabulary: Vocabulary
  /** Type of all two-dimensional weights. */
  weightType: GgmlType
  tensors: PlanTensor[]
  sources: ByteSource[]
  /** Human-readable notes of conversions, e.g. `3 tensors bf16 -> f16`. */
  conversions: string[]
  /** What the file says about the model for people and decoders; kept when it is converted. */
  labels?: ModelLabels
}

export interface ModelLabels {
  name?: string
  /** SPDX identifier. */
  license?: string
  advice: GenerationAdvice
}
