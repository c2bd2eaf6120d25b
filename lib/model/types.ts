import type { BackendReason } from '../backend/types.ts'
import type { Warning } from '../warnings.ts'
import type { WeightType } from './conversions.ts'
import type { ModelFormat } from './plan.ts'

/**
 * What {@link loadModel} takes: a catalogue name or alias, a path, a repository on the Hugging Face hub, a URL, or the bytes of a model
 * file.
 */
export type ModelInput = string | URL | Uint8Array

/** How far {@link loadModel} is. */
export interface LoadProgress {
  /**
   * `trial`: testing the GPU in a separate process, once per boot, for at most `WHISPER_HIP_TRIAL_SECONDS` (60 s); `download`: downloading
   * into the cache; `load`: reading the weights into memory.
   */
  stage: 'trial' | 'download' | 'load'
  /** Progress of the stage, 0..1; 0 during a trial, and while the size of a download is unknown. */
  progress: number
  /** In a trial: name and PCI address of the GPU. */
  gpu?: string
  /** In a trial: the current step, e.g. `mul_mat f16`; `start` before the first one. */
  step?: string
  /** In a download: bytes received so far, and in total. */
  receivedBytes?: number
  totalBytes?: number | null
}

/** Options of {@link loadModel}. `undefined` is the same as absent. */
export interface LoadOptions {
  /**
   * `auto` runs on the GPU if it can, and otherwise on the CPU with one warning (`WHISPER_HIP_CPU`); `hip` rejects with
   * `ERR_BACKEND_UNAVAILABLE` instead of running on the CPU; `cpu` never touches HIP and does not warn.
   * @defaultValue `'auto'`
   */
  backend?: 'auto' | 'hip' | 'cpu'
  /**
   * The GPU to use: its `index` in `devices` of {@link backendInfo}, its PCI address, its chip, or part of its name.
   * @defaultValue the one with the most memory, discrete before integrated
   */
  device?: number | string
  /**
   * What happens in a run on the GPU if the GPU does not support an operation: `true` computes it on the CPU, `false` rejects with
   * `ERR_GPU_NOT_USED`. `RunStats.cpuNodes` and `cpuOperations` show what ran on the CPU.
   * @defaultValue `false` with `backend: 'hip'`; otherwise `true`, with one process warning
   */
  allowPartial?: boolean
  /**
   * How many transcriptions run at once on this model, 1..16; others wait in order. Each needs memory for its caches, which is kept for the
   * next one. All share one set of compute threads: running more at once is fairer, not faster.
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
   * Type of the weights in memory. `auto` keeps quantised weights as they are and loads floats and int16 as f16; int8 becomes q8_0; a
   * mixture becomes q8_0 if all of it has at most 8 bits, and f16 otherwise. Weights are never quantised to fewer bits unless you ask for
   * it here. `model.info.conversions` says what was converted. K-quants need rows whose length is a multiple of 256, which `tiny` does not
   * have.
   * @defaultValue `'auto'`
   */
  weightType?: 'auto' | WeightType
  /**
   * Where the model runs. With `process`, it runs in a process of its own, which can die (of a GPU fault, a crash, or lack of memory)
   * without taking the application with it. The jobs that were running then reject with `ERR_INTERNAL` or `ERR_OUT_OF_MEMORY`, and the
   * message gives the signal and the last output of the process. The next job gets a new process, which loads the model again. No job is
   * restarted automatically.
   * @defaultValue `'none'`
   */
  isolation?: 'none' | 'process'
  /**
   * Path of the Node, version 20.19 or newer, that runs a model with `isolation: 'process'` and the trial of the GPU. Needed if
   * `process.execPath` is not Node but the application: in a single executable, in Electron without `runAsNode`, or behind a launcher.
   * @defaultValue `WHISPER_HIP_NODE`, otherwise `process.execPath`
   */
  nodePath?: string
  /**
   * Never touch the network: a model given by name or URL must be in the cache.
   * @defaultValue `false`
   */
  offline?: boolean
  /** Expected SHA-256 (64 hexadecimal digits) of a model given by http(s) URL. */
  sha256?: string
  /** Called as loading proceeds. If it throws, or returns a promise that rejects, loading stops and rejects with that error. */
  onProgress?: (progress: LoadProgress) => void
  /**
   * Stops loading: the promise rejects with `signal.reason`. A trial of the GPU continues until it has a verdict, but does not keep the
   * process alive; with `isolation: 'process'`, it ends with the model's process.
   */
  signal?: AbortSignal
}

/** Describes a model. */
export interface ModelInfo {
  /** The catalogue name, or the name of the file or folder. */
  name: string
  /** For example `base`, `tiny.en` or `large-v3-turbo`; `custom` for any other shape. */
  architecture: string
  /** Number of weights. */
  parameters: number
  multilingual: boolean
  /** ISO 639 codes of the languages that it was trained to write. */
  languages: readonly string[]
  /** Number of layers. */
  layers: { encoder: number; decoder: number }
  /** Number of mel frequency bins, 80 or 128. */
  melBins: number
  format: ModelFormat
  /** Variant of the format. */
  dialect: string
  /** Type of the two-dimensional weights in memory, e.g. `f16` or `q8_0`. */
  weightType: string
  /** What was converted when the model was loaded. */
  conversions: readonly string[]
  /** Size of the file with the weights in bytes. */
  fileBytes: number
  /** Bytes of all weights in memory. */
  memoryBytes: number
}

/** What a model actually runs on. */
export interface ModelBackend {
  /** The `backend` that you asked for. */
  policy: 'auto' | 'hip' | 'cpu'
  active: 'hip' | 'cpu'
  /** Name of the device that computes. */
  device: string
  reason: BackendReason
  /** One sentence that says what is used, or why the GPU is not. */
  message: string
  /** Where the weights are: bytes by the name of the memory. */
  weightBytes: Readonly<Record<string, number>>
}

/** What {@link Model.detectLanguage} resolves to. */
export interface DetectedLanguage {
  /** ISO 639 code of the most probable language. */
  language: string
  /** 0..1 */
  probability: number
  /** Probabilities of all languages of the model, highest first; they add up to 1. */
  all: Readonly<Record<string, number>>
  /** What makes the audio doubtful, such as damage; empty if all is well. */
  warnings: Warning[]
}
