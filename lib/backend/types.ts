/** Why the GPU is or is not used. Stable; new reasons may be added. */
export type BackendReason =
  | 'OK'
  /** This build has no HIP backend. */
  | 'NOT_COMPILED'
  /** The HIP backend is built, but this version cannot use it yet. */
  | 'NOT_SUPPORTED_YET'
  /** The addon itself cannot be loaded. */
  | 'NATIVE_MISSING'
  /** The caller chose the CPU. */
  | 'GPU_DISABLED_BY_OPTION'

/** An AMD GPU of this machine, usable or not. */
export interface GpuDevice {
  /** Position among the AMD GPUs of the machine, in PCI order. */
  index: number
  /** Name as the driver tells it, or vendor and device id. */
  name: string
  /** PCI address, e.g. `0000:03:00.0`. */
  pciId: string
  /** Bytes of video memory, or null when no driver tells. */
  memoryTotal: number | null
  memoryFree: number | null
  /** Why it is used or not. */
  reason: BackendReason
}

/** What a model loaded now would run on, and why. */
export interface BackendInfo {
  active: 'hip' | 'cpu'
  reason: BackendReason
  /** One sentence that names what is missing, or what is used. */
  message: string
  /** What to do, most likely first; empty when all is well. */
  advice: readonly string[]
  /** The GPU in use. */
  device: GpuDevice | null
  /** Every AMD GPU in the machine. */
  devices: readonly GpuDevice[]
  /** How this addon was built; null when it cannot be loaded. */
  build: {
    hip: boolean
    hipVersion: string | null
    gpuTargets: readonly string[]
    whisperCpp: string
    ggml: string
    compiler: string
    portable: boolean
  } | null
  /** The ROCm runtime that is loaded. */
  rocm: { runtimeVersion: string; libraries: readonly { soname: string; path: string }[] } | null
  /** Absolute paths of what is really loaded. */
  libraries: { addon: string | null; cpu: string | null; hip: string | null }
  /** The environment variables that change the outcome, as they are set. */
  environment: Readonly<Record<string, string>>
  /** The trial of the GPU, when there was one. */
  probe: {
    stages: readonly { name: string; milliseconds: number; ok: boolean }[]
    cached: boolean
    exit: string
  } | null
  /** What computes each part. */
  components: Record<'encoder' | 'decoder' | 'vad' | 'mel', 'hip' | 'cpu'>
}
