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
  /** Windows of each transcription at once. */
  windows: number
  flashAttention: boolean
}

/** Bytes in the memory of the device that computes. */
export interface MemoryEstimate {
  /** Once for a model. */
  weights: number
  /** Keys and values: of the audio of a window that is under way, and of the text of a sequence of tokens. */
  caches: { window: number; sequence: number }
  /** What lies between the nodes of the graphs, for all transcriptions together. */
  buffers: number
  /** Caches of one transcription. */
  perState: number
  /** Weights, buffers, and caches of all transcriptions. */
  total: number
}

/** Bytes of a number in caches and columns (f16) and between two nodes (f32). */
const F16 = 2
const F32 = 4
/** Each tensor begins at a multiple of this in ggml's CPU memory. */
const ALIGNMENT = 32
/** Of the keys of a window, as of the engine's `padded_keys()`. */
const KEY_TILE = 32
/** Windows of a model that the engine works at, and rows of one step: `Runner::most_windows()` and the worker's `kMostRows`. */
const MOST_WINDOWS = 10
const MOST_ROWS = 64

/**
 * Memory of a model and its transcriptions, as the engine allocates it. Not counted: what the driver and libraries need for themselves, what
 * a GPU takes in advance for sequences to come and to copy them, the attention that the times of words are read from, and what never lies on
 * the device (spectrogram, logits of the sampler, descriptions of graphs).
 *
 * Caches are exact. Each buffer is what its graph needs at its widest point: tensors that live at the same time, counted in the source and
 * compared with what the engine allocates. The encoder is widest in its layers if the state has more than 1.6 times as many
 * numbers as there are mel bins, as in all published models.
 */
export function memoryOf(question: MemoryQuestion): MemoryEstimate {
  const { beams, states, windows } = question
  const atOnce = Math.max(states, Math.min(states * windows, MOST_WINDOWS))
  const decoded = Math.min(atOnce, Math.max(Math.floor(MOST_ROWS / beams), 1))
  const weights = weightBytes(question.hyperparameters, question.weightType)
  const caches = cacheBytes(question.hyperparameters)
  const buffers = Object.values(bufferBytes(question, decoded)).reduce((sum, bytes) => sum + bytes, 0)
  return {
    weights,
    caches,
    buffers,
    perState: Math.min(windows, MOST_WINDOWS) * (caches.window + beams * caches.sequence),
    total: weights + buffers + atOnce * caches.window + decoded * beams * caches.sequence,
  }
}

function weightBytes(hyperparameters: Hyperparameters, weightType: GgmlType): number {
  return requiredTensors(hyperparameters).reduce((sum, { shape, kind }) => {
    const [length = 0, ...others] = shape
    const rows = others.reduce((product, size) => product * size, 1)
    return sum + padded(rows * rowBytes(memoryType(kind, weightType), length), ALIGNMENT)
  }, 0)
}

/** Keys and values, so everything twice. */
function cacheBytes(hyperparameters: Hyperparameters): MemoryEstimate['caches'] {
  const { textState, textLayers, textContext, audioContext } = hyperparameters
  return {
    window: 2 * F16 * textState * textLayers * padded(audioContext, KEY_TILE),
    sequence: 2 * F16 * textState * textLayers * textContext,
  }
}

/** Bytes of the buffers of all graphs. */
interface BufferBytes {
  encoder: number
  /** Of the decoder: for what comes before the text, and for each further token. */
  prompt: number
  step: number
  attention: number
}

/** The buffers for so many windows that are decoded at once. */
export function bufferBytes(question: MemoryQuestion, windows: number): BufferBytes {
  const { hyperparameters, flashAttention, beams } = question
  const { audioContext, audioState, audioHeads, textContext, textState } = hyperparameters
  const audio = F32 * audioContext * audioState
  const scores = F32 * audioContext * audioContext * audioHeads
  // The text before, and the tokens that begin a window.
  const tokens = Math.min(Math.ceil(textContext / 2) + 4, textContext)
  const rows = Math.max(windows * tokens, windows * beams)
  return {
    // The middle of the feed-forward part is four wide. Without the fused kernels all scores of attention exist at once.
    encoder: Math.max(7 * audio, flashAttention ? 0 : 4 * audio + scores),
    prompt: decoderBytes(question, {
      windows,
      sequences: 1,
      tokens,
      keys: Math.min(padded(tokens, 256), textContext),
      logits: 2,
    }),
    step: decoderBytes(question, { windows, sequences: beams, tokens: 1, keys: textContext, logits: beams }),
    // Where the results of several windows come together.
    attention: windows === 1 ? 0 : F32 * textState * padded(rows, 64),
  }
}

/** What one pass of the decoder reads. */
export interface DecoderPass {
  windows: number
  /** Of each window. */
  sequences: number
  /** Of each sequence. */
  tokens: number
  /** Positions of the text that each token looks at. */
  keys: number
  /** Rows for each window. */
  logits: number
}

/** The buffer of a graph of the decoder. */
export function decoderBytes(
  { hyperparameters, flashAttention }: Pick<MemoryQuestion, 'hyperparameters' | 'flashAttention'>,
  pass: DecoderPass,
): number {
  const { audioContext, textHeads, textState, vocabularySize } = hyperparameters
  const { windows, sequences, tokens, keys } = pass
  const rows = windows * sequences * tokens
  const text = F32 * textState * rows
  const inputs =
    2 * padded(4 * rows, ALIGNMENT) +
    padded(8 * rows, ALIGNMENT) +
    padded(F16 * keys * tokens * windows, ALIGNMENT) +
    (pass.logits === sequences * tokens ? 0 : padded(4 * windows * pass.logits, ALIGNMENT))
  // The logits, with the state that they come from and its norm.
  const logitRows = windows * pass.logits
  const logits = padded(F32 * logitRows * vocabularySize, ALIGNMENT) + 2 * F32 * logitRows * textState
  if (flashAttention) return Math.max(6 * text + inputs, logits)
  // Columns of the values and scores of one window, of its text or its audio.
  const columns = F16 * textState
  const scores = F32 * textHeads * sequences * tokens
  const attention =
    columns * audioContext + Math.max(scores * audioContext, keys * (columns * sequences + scores))
  return Math.max(6 * text + inputs, 3 * text + inputs + attention, logits)
}

function padded(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}
