/**
 * Why the GPU is or is not used. Stable; new reasons may be added. `docs/reasons.md` says of each what causes it and what
 * to do.
 */
export type BackendReason =
  /** The GPU is used. */
  | 'OK'
  // Build and packaging
  /** This build has no HIP backend. */
  | 'NOT_COMPILED'
  /** The addon itself cannot be loaded. */
  | 'NATIVE_MISSING'
  /** The file of the HIP module is missing, or is not a module for this machine. */
  | 'BACKEND_LIBRARY_MISSING'
  /** The HIP module was built against another version of ggml than the addon. */
  | 'BACKEND_API_MISMATCH'
  /** ROCm does not exist for this operating system or processor. */
  | 'UNSUPPORTED_PLATFORM'
  // The ROCm runtime
  /** The loader does not find a library of ROCm that the HIP module needs. */
  | 'HIP_RUNTIME_MISSING'
  /** ROCm is there in another version than the HIP module needs, or in a mixture of versions. */
  | 'HIP_RUNTIME_VERSION_MISMATCH'
  /** A library of ROCm that the HIP module needs is damaged, or a link to nothing. */
  | 'HIP_RUNTIME_DAMAGED'
  /** rocBLAS has no kernels for this GPU. */
  | 'ROCBLAS_KERNELS_MISSING'
  // Kernel and device nodes
  /** The machine has no AMD GPU. */
  | 'NO_AMD_GPU'
  /** No ROCm that this library can be built with supports this chip. */
  | 'UNSUPPORTED_GPU'
  /** The driver amdgpu does not drive the GPU. */
  | 'AMDGPU_DRIVER_NOT_LOADED'
  /** `/dev/kfd`, the device of GPU computing, does not exist. */
  | 'KFD_MISSING'
  /** `/dev/kfd` may not be opened by this process. */
  | 'KFD_PERMISSION_DENIED'
  /** `/dev/kfd` cannot be opened for another cause than permission. */
  | 'KFD_OPEN_FAILED'
  /** The GPU's render node below `/dev/dri` does not exist. */
  | 'RENDER_NODE_MISSING'
  /** The GPU's render node below `/dev/dri` cannot be opened by this process. */
  | 'RENDER_NODE_DENIED'
  /** The driver knows the GPU but does not offer it for computing. */
  | 'GPU_NOT_IN_KFD_TOPOLOGY'
  /** Windows does not offer a GPU to this WSL. */
  | 'WSL_DXG_MISSING'
  /** ROCm's way through Windows to the GPU is not installed or not switched on. */
  | 'WSL_DXG_NOT_ENABLED'
  /** The HIP library of Windows cannot be loaded. */
  | 'WINDOWS_HIP_DLL'
  // Selection and environment
  /** An environment variable hides the GPU. */
  | 'GPU_HIDDEN_BY_ENV'
  /** The `device` option is a number that no GPU has. */
  | 'DEVICE_INDEX_OUT_OF_RANGE'
  /** The `device` option is a name or PCI address that no GPU has. */
  | 'DEVICE_NOT_FOUND'
  /** `HSA_OVERRIDE_GFX_VERSION` is malformed, or names another family of chips, or is not needed. */
  | 'GFX_OVERRIDE_INVALID'
  /** The HIP module has no code for this GPU. */
  | 'NO_CODE_OBJECT_FOR_GPU'
  /** The HIP module has no code for another visible GPU, which would break the one in use. */
  | 'OTHER_GPU_WITHOUT_CODE_OBJECT'
  // The trial of the GPU
  /** HIP answered with an error while starting. */
  | 'HIP_INIT_FAILED'
  /** The GPU has too little free memory. */
  | 'OUT_OF_MEMORY'
  /** The GPU or its driver reported a fault. */
  | 'GPU_FAULT'
  /** There is no Node to try the GPU in: the program of the application starts the application. */
  | 'HOST_NOT_NODE'
  /** The process that tried the GPU died. */
  | 'PROBE_CRASHED'
  /** The process that tried the GPU did not end in time. */
  | 'PROBE_TIMEOUT'
  /** The process that tried the GPU was ended from outside. */
  | 'PROBE_INTERRUPTED'
  /** The GPU computed wrong numbers. */
  | 'NUMERIC_MISMATCH'
  // A model or a run
  /** The caller chose the CPU. */
  | 'GPU_DISABLED_BY_OPTION'
  /** The weights do not lie in the memory of the GPU. */
  | 'MODEL_NOT_ON_GPU'
  /** Some operations ran on the CPU. */
  | 'OPS_ON_CPU'
  /** Nothing was computed: there was no speech or no audio. */
  | 'NO_GPU_WORK_DONE'
  /** A run on the GPU gave values that are not numbers. */
  | 'GPU_RESULT_INVALID'
  /** An earlier failure left the GPU in an unknown state for this process. */
  | 'CONTEXT_POISONED'
  /** None of the other reasons. */
  | 'UNKNOWN'

/** An AMD GPU of this machine, usable or not. */
export interface GpuDevice {
  /** Position among the AMD GPUs of the machine, in PCI order. */
  index: number
  /** Name as the driver or libdrm's table tells it, or vendor and device id. */
  name: string
  /** The chip, e.g. `gfx1100`; null when the kernel does not tell. */
  gfx: string | null
  /** The chip that ROCm takes it for: another one under `HSA_OVERRIDE_GFX_VERSION`, else the same. */
  gfxEffective: string | null
  /** PCI address, e.g. `0000:03:00.0`. */
  pciId: string
  /** Part of a processor, with memory shared with it; null when the chip is not known. */
  integrated: boolean | null
  /** Bytes of memory for computing, or null when no driver tells. For an integrated GPU what the driver offers of the shared memory. */
  memoryTotal: number | null
  /** Bytes that no process uses, or null. */
  memoryFree: number | null
  /** Why it is used or not. */
  reason: BackendReason
}

/** Something that was found on the way to the GPU. */
export interface BackendNote {
  reason: BackendReason
  /** One sentence that names the file, group, device or library. */
  message: string
  /** What to do, most likely first. */
  advice: readonly string[]
}

/** One step of the trial of a GPU. */
export interface ProbeStage {
  /**
   * e.g. `library`, `devices`, `mul_mat q4_K of one column`. Operations have ggml's names, with the types and layouts that make a GPU
   * choose another kernel for them.
   */
  name: string
  /** Of a stage that did not end, until the process did. */
  milliseconds: number
  ok: boolean
  /** Normalised mean squared error against the CPU, of a stage that computes; null for values that are not numbers. */
  error?: number | null
  /** The only type of weights with which models have the operation, e.g. `q4_K`; absent when all models have it. */
  weights?: string
  /** The device does not offer the operation: it would run on the CPU. */
  unsupported?: true
  /** What was wrong. */
  problem?: string
}

/** A ROCm that is installed in this machine. */
export interface RocmInstallation {
  /** Absolute path, e.g. `/opt/rocm-7.0.2`, or `/usr` for that of the distribution. */
  folder: string
  /** E.g. `7.0.2`; null when it does not tell. */
  version: string | null
  /** Path of its HIP runtime (`libamdhip64`), or null. */
  runtime: string | null
  /** Whether it is the one whose runtime the loader gives to the HIP module, or to any program where there is no module. */
  chosen: boolean
  /** Whether the HIP module can be given it as the machine is. */
  usable: boolean
  /** Why it is not usable, or null. */
  problem: string | null
}

/** What the trial of a GPU does. */
export interface TrialProgress {
  stage: 'trial'
  /** 0 while the trial runs, 1 when it has ended. */
  progress: number
  /** Name and PCI address of the GPU. */
  gpu: string
  /** The stage that runs or has ended last, e.g. `mul_mat f16`; `start` before the first one. See {@link ProbeStage}. */
  step: string
}

/** What a model loaded now would run on, and why. */
export interface BackendInfo {
  active: 'hip' | 'cpu'
  reason: BackendReason
  /** One sentence that names what is missing, or what is used. */
  message: string
  /** What to do, most likely first; empty when all is well. */
  advice: readonly string[]
  /** What else was found: problems that come after the first one, and what was done about harmless ones. */
  notes: readonly BackendNote[]
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
  /** The ROCm runtime that the loader finds for the HIP module, its version when it tells one; null without the module or the runtime. */
  rocm: { runtimeVersion: string | null; libraries: readonly { soname: string; path: string }[] } | null
  /** Every ROCm in the machine, usable or not. */
  installations: readonly RocmInstallation[]
  /** Absolute paths of what is loaded. Of HIP, which is not loaded before a model, until then what the trial has loaded. */
  libraries: { addon: string | null; cpu: string | null; hip: string | null }
  /** The environment variables that change the outcome, as they are set. */
  environment: Readonly<Record<string, string>>
  /** The trial of the GPU in a child process, when there was one. */
  probe: {
    stages: readonly ProbeStage[]
    /** Whether the answer is that of an earlier trial. */
    cached: boolean
    /** How the process ended: `code 0`, a signal such as `SIGSEGV`, or `killed after 30 s`. */
    exit: string
    /** The end of what it wrote to its standard error, at most 4 kB. */
    stderr: string
  } | null
  /** What computes each part. */
  components: Record<'encoder' | 'decoder' | 'vad' | 'mel', 'hip' | 'cpu'>
}
