import { rowBytes } from './ggml-types.ts'
import type { GgmlType, Hyperparameters } from './plan.ts'
import { memoryType, requiredTensors } from './required-tensors.ts'

/** What the memory of a model depends on, beside its shape. */
export interface MemoryQuestion {
  hyperparameters: Hyperparameters
  weightType: GgmlType
  /** Candidates side by side: the larger one of `beamSize` and `bestOf`. */
  beams: number
  /** Transcriptions at once. */
  states: number
  flashAttention: boolean
}

/** Bytes in the memory of the device that computes. */
export interface MemoryEstimate {
  /** Once for a model. */
  weights: number
  /** For each transcription at once: its caches of keys and values … */
  caches: { selfAttention: number; crossAttention: number; padding: number }
  /** … and the buffers of its four graphs, which hold what lies between two steps. */
  buffers: { convolution: number; encoder: number; crossAttention: number; decoder: number }
  /** Caches and buffers of one transcription. */
  perState: number
  /** Weights, and caches and buffers of all transcriptions. */
  total: number
}

/** Bytes of a number in caches and columns (f16) and between two steps (f32). */
const F16 = 2
const F32 = 4
/** Each tensor begins at a multiple of this in ggml's CPU memory. */
const ALIGNMENT = 32

/**
 * Memory of a model and its transcriptions, as whisper.cpp 1.9.1 allocates it. Not counted: what the driver and libraries need for
 * themselves, and what never lies on the device (spectrogram, logits of the sampler, descriptions of graphs).
 *
 * Caches are exact. Each buffer is what its graph needs at its widest point: tensors that live at the same time, counted in the source and
 * compared with what whisper.cpp prints. The widest points hold for shapes whose vocabulary is larger than seven times the state and whose
 * state has at least 384 numbers, as those of all published models.
 */
export function memoryOf(question: MemoryQuestion): MemoryEstimate {
  const weights = weightBytes(question.hyperparameters, question.weightType)
  const caches = cacheBytes(question)
  const buffers = bufferBytes(question)
  const perState = [...Object.values(caches), ...Object.values(buffers)].reduce(
    (sum, bytes) => sum + bytes,
    0,
  )
  return { weights, caches, buffers, perState, total: weights + question.states * perState }
}

function weightBytes(hyperparameters: Hyperparameters, weightType: GgmlType): number {
  return requiredTensors(hyperparameters).reduce((sum, { shape, kind }) => {
    const [length = 0, ...others] = shape
    const rows = others.reduce((product, size) => product * size, 1)
    return sum + padded(rows * rowBytes(memoryType(kind, weightType), length), ALIGNMENT)
  }, 0)
}

/** Keys and values, so everything twice. */
function cacheBytes({ hyperparameters, beams }: MemoryQuestion): MemoryEstimate['caches'] {
  const { textState, textLayers, textContext, audioState, audioContext } = hyperparameters
  // Beams are copied into two spare sequences before those that they come from are released.
  const sequences = beams > 1 ? beams + 2 : 1
  return {
    selfAttention: 2 * F16 * textState * textLayers * padded(textContext, 256) * sequences,
    crossAttention: 2 * F16 * textState * textLayers * padded(audioContext, 256),
    padding: 2 * F16 * audioState * padded(audioContext, 256),
  }
}

function bufferBytes({ hyperparameters, flashAttention }: MemoryQuestion): MemoryEstimate['buffers'] {
  const { audioContext, audioState, audioHeads, melBins } = hyperparameters
  const { textContext, textState, vocabularySize } = hyperparameters
  const frames = 2 * audioContext
  const audio = F32 * audioContext * audioState
  const text = F32 * textContext * textState
  const scores = F32 * audioContext * audioContext * audioHeads
  return {
    // The spectrogram and its columns for a kernel of 3, the first convolution before and after its bias.
    convolution: frames * melBins * (F32 + 3 * F16) + 2 * F32 * frames * audioState,
    // The middle of the feed-forward part is four wide. Without the fused kernels all scores of attention exist at once.
    encoder: Math.max(7 * audio, flashAttention ? 0 : 4 * audio + scores),
    crossAttention: audio,
    // Reserved for a prompt of the whole context: the logits of all its tokens outweigh every layer.
    decoder: F32 * textContext * vocabularySize + 2 * text,
  }
}

function padded(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}
