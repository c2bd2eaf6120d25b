import type { BackendReason } from '../backend/types.ts'
import type { Warning } from '../warnings.ts'
import type { WeightType } from './conversions.ts'
import type { ModelFormat } from './plan.ts'

/** What {@link loadModel} takes: a catalogue name or alias, a path, a repository of the hub, a URL, or the bytes of a model file. */
export type ModelInput = string | URL | Uint8Array

/** How far {@link loadModel} is. */
export interface LoadProgress {
  /**
   * `trial`: trying the GPU in a process of its own, once for a boot, at most `WHISPER_HIP_TRIAL_SECONDS` (60 s); `download`: fetching into
   * the cache; `load`: reading the weights into memory.
   */
  stage: 'trial' | 'download' | 'load'
  /** 0..1 of the stage; 0 while a trial runs, and while the size of a download is not known. */
  progress: number
  /** Name and PCI address of the GPU, of a trial. */
  gpu?: string
  /** What a trial does, e.g. `mul_mat f16`; `start` before its first step. */
  step?: string
  /** Bytes so far and in total, of a download. */
  receivedBytes?: number
  totalBytes?: number | null
}

/** Options of {@link loadModel}. `undefined` is the same as absent. */
export interface LoadOptions {
  /**
   * `auto` runs on the GPU where it can and warns once (`WHISPER_HIP_CPU`) where it cannot; `hip` rejects with
   * `ERR_BACKEND_UNAVAILABLE` instead of running on the CPU; `cpu` touches nothing of HIP and warns of nothing.
   * @defaultValue `'auto'`
   */
  backend?: 'auto' | 'hip' | 'cpu'
  /**
   * The GPU to use: its position among those of {@link backendInfo}, PCI address or name.
   * @defaultValue the one with the most memory, discrete before integrated
   */
  device?: number | string
  /**
   * What a run on the GPU does with an operation that the GPU does not support: `true` computes it on the CPU, `false` rejects with
   * `ERR_GPU_NOT_USED`. `RunStats.cpuNodes` and `cpuOperations` tell what ran on the CPU.
   * @defaultValue `false` with `backend: 'hip'`; else `true`, with one process warning
   */
  allowPartial?: boolean
  /**
   * How many transcriptions run at once on this model, 1..16; more wait in order. Each one needs memory for its caches, and keeps it
   * for the next. All share one set of compute threads: more at once is fairer, not faster.
   * @defaultValue `2`
   */
  concurrency?: number
  /**
   * How many live transcriptions ({@link Model.stream}) may be open at once, 1..1000.
   * @defaultValue `64`
   */
  maxStreams?: number
  /**
   * Use the fused attention kernels.
   * @defaultValue `true`
   */
  flashAttention?: boolean
  /**
   * Type of the weights in memory. `auto` keeps quantised weights as they are and takes floats and int16 as f16; int8 becomes q8_0; a mixture
   * becomes f16 or, when all of it has at most 8 bits, q8_0. Weights are never quantised to fewer bits unless asked for here.
   * `model.info.conversions` tells what was done. K-quants need rows of a multiple of 256 values: not for tiny.
   * @defaultValue `'auto'`
   */
  weightType?: 'auto' | WeightType
  /**
   * Where the model runs. `process`: in a process of its own, which can die (of a fault of the GPU, a crash, for want of
   * memory) without taking the application along. The jobs that ran on it then reject with `ERR_INTERNAL` or `ERR_OUT_OF_MEMORY`,
   * naming the signal and what the process wrote last; the next job gets a new process, which loads the model again. No job is
   * started again by itself.
   * @defaultValue `'none'`
   */
  isolation?: 'none' | 'process'
  /**
   * The Node, version 20.19 or newer, that runs a model with `isolation: 'process'` and the trial of the GPU. Needed where
   * `process.execPath` is not Node but the application: in a single executable, in Electron without `runAsNode`, behind a launcher.
   * @defaultValue `WHISPER_HIP_NODE`, else `process.execPath`
   */
  nodePath?: string
  /**
   * Never touch the network: a model by name or URL must be in the cache.
   * @defaultValue `false`
   */
  offline?: boolean
  /** Expected sha256 (64 hexadecimal digits) of a model by http(s) URL. */
  sha256?: string
  /** What it throws, or a promise that it returns rejects with, ends the load, which rejects with that. */
  onProgress?: (progress: LoadProgress) => void
  /**
   * Aborts the load: it rejects with `signal.reason`. A trial of the GPU goes on for its answer, but does not keep the process alive;
   * with `isolation: 'process'` it ends with the process of the model.
   */
  signal?: AbortSignal
}

/** What a model is. */
export interface ModelInfo {
  /** The catalogue name, or the name of the file or folder. */
  name: string
  /** e.g. `base`, `tiny.en`, `large-v3-turbo`; `custom` for another shape. */
  architecture: string
  /** Number of weights. */
  parameters: number
  multilingual: boolean
  /** ISO 639 codes that it was trained to write. */
  languages: readonly string[]
  /** Layers of encoder and decoder. */
  layers: { encoder: number; decoder: number }
  /** 80 or 128. */
  melBins: number
  format: ModelFormat
  /** Variant of the format. */
  dialect: string
  /** Type of the two-dimensional weights in memory, e.g. `f16` or `q8_0`. */
  weightType: string
  /** What was converted on the way into memory. */
  conversions: readonly string[]
  /** Size of the file with the weights in bytes. */
  fileBytes: number
  /** Bytes of all weights in memory. */
  memoryBytes: number
}

/** What a model really runs on. */
export interface ModelBackend {
  /** What was asked for. */
  policy: 'auto' | 'hip' | 'cpu'
  active: 'hip' | 'cpu'
  /** Name of the device that computes. */
  device: string
  reason: BackendReason
  /** One sentence: what is used, or why not the GPU. */
  message: string
  /** Where the weights lie: bytes by the name of the memory. */
  weightBytes: Readonly<Record<string, number>>
}

/** What {@link Model.detectLanguage} answers. */
export interface DetectedLanguage {
  /** ISO 639 code of the most probable language. */
  language: string
  /** 0..1 */
  probability: number
  /** Probabilities of all languages of the model, highest first; they add up to 1. */
  all: Readonly<Record<string, number>>
  /** What makes the audio doubtful, e.g. that it is damaged: empty when all is well. */
  warnings: Warning[]
}
