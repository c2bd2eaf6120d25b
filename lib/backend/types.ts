/**
 * Why the GPU is or is not used. Stable; new reasons may be added. `docs/reasons.md` explains the causes of each and what to do.
 */
export type BackendReason =
  /** The GPU is used. */
  | 'OK'
  // Build and packaging
  /** This build has no HIP backend. */
  | 'NOT_COMPILED'
  /** The addon itself cannot be loaded. */
  | 'NATIVE_MISSING'
  /** The HIP module's file is missing, or is not a module for this machine. */
  | 'BACKEND_LIBRARY_MISSING'
  /** The HIP module was built against a different version of ggml than the addon. */
  | 'BACKEND_API_MISMATCH'
  /** ROCm does not exist for this operating system or processor. */
  | 'UNSUPPORTED_PLATFORM'
  // The ROCm runtime
  /** The loader cannot find a ROCm library that the HIP module needs. */
  | 'HIP_RUNTIME_MISSING'
  /** ROCm is installed, but in a different version than the HIP module needs, or in a mixture of versions. */
  | 'HIP_RUNTIME_VERSION_MISMATCH'
  /** A ROCm library that the HIP module needs is damaged, or a dangling link. */
  | 'HIP_RUNTIME_DAMAGED'
  /** rocBLAS has no kernels for this GPU. */
  | 'ROCBLAS_KERNELS_MISSING'
  // Kernel and device nodes
  /** The machine has no AMD GPU. */
  | 'NO_AMD_GPU'
  /** No ROCm release that this library can be built with supports this chip. */
  | 'UNSUPPORTED_GPU'
  /** The GPU is not driven by the amdgpu driver. */
  | 'AMDGPU_DRIVER_NOT_LOADED'
  /** `/dev/kfd`, the device for GPU computing, does not exist. */
  | 'KFD_MISSING'
  /** This process may not open `/dev/kfd`. */
  | 'KFD_PERMISSION_DENIED'
  /** `/dev/kfd` cannot be opened, for a reason other than permissions. */
  | 'KFD_OPEN_FAILED'
  /** The GPU's render node in `/dev/dri` does not exist. */
  | 'RENDER_NODE_MISSING'
  /** This process cannot open the GPU's render node in `/dev/dri`. */
  | 'RENDER_NODE_DENIED'
  /** The driver knows the GPU, but does not offer it for computing. */
  | 'GPU_NOT_IN_KFD_TOPOLOGY'
  /** Windows does not offer a GPU to this WSL instance. */
  | 'WSL_DXG_MISSING'
  /** ROCm's path to the GPU through Windows is not installed or not enabled. */
  | 'WSL_DXG_NOT_ENABLED'
  /** The Windows HIP library cannot be loaded. */
  | 'WINDOWS_HIP_DLL'
  // Selection and environment
  /** An environment variable hides the GPU. */
  | 'GPU_HIDDEN_BY_ENV'
  /** The `device` option is a number that no GPU has. */
  | 'DEVICE_INDEX_OUT_OF_RANGE'
  /** The `device` option is a name or PCI address that no GPU has. */
  | 'DEVICE_NOT_FOUND'
  /** `HSA_OVERRIDE_GFX_VERSION` is malformed, names a different family of chips, or is not needed. */
  | 'GFX_OVERRIDE_INVALID'
  /** The HIP module has no code for this GPU. */
  | 'NO_CODE_OBJECT_FOR_GPU'
  /** The HIP module has no code for another visible GPU, which would break the one in use. */
  | 'OTHER_GPU_WITHOUT_CODE_OBJECT'
  // The trial of the GPU
  /** HIP reported an error when it started. */
  | 'HIP_INIT_FAILED'
  /** The GPU has too little free memory. */
  | 'OUT_OF_MEMORY'
  /** The GPU or its driver reported a fault. */
  | 'GPU_FAULT'
  /** There is no Node to test the GPU in: the program that would run it is the application itself. */
  | 'HOST_NOT_NODE'
  /** The process that tested the GPU died. */
  | 'PROBE_CRASHED'
  /** The process that tested the GPU did not finish in time. */
  | 'PROBE_TIMEOUT'
  /** The process that tested the GPU was ended from outside. */
  | 'PROBE_INTERRUPTED'
  /** The GPU computed wrong numbers. */
  | 'NUMERIC_MISMATCH'
  // A model or a run
  /** The caller chose the CPU. */
  | 'GPU_DISABLED_BY_OPTION'
  /** The weights are not in the GPU's memory. */
  | 'MODEL_NOT_ON_GPU'
  /** Some operations ran on the CPU. */
  | 'OPS_ON_CPU'
  /** Nothing was computed, because there was no speech or no audio. */
  | 'NO_GPU_WORK_DONE'
  /** A run on the GPU produced values that are not numbers. */
  | 'GPU_RESULT_INVALID'
  /** An earlier failure left the GPU in an unknown state for this process. */
  | 'CONTEXT_POISONED'
  /** None of the other reasons. */
  | 'UNKNOWN'

/** An AMD GPU in this machine, usable or not. */
export interface GpuDevice {
  /** Position among the machine's AMD GPUs, in PCI order. */
  index: number
  /** Name according to the driver or libdrm's table, otherwise vendor and device ID. */
  name: string
  /** The chip, e.g. `gfx1100`; null if the kernel does not report it. */
  gfx: string | null
  /** The chip that ROCm treats it as: the same, unless `HSA_OVERRIDE_GFX_VERSION` says otherwise. */
  gfxEffective: string | null
  /** PCI address, e.g. `0000:03:00.0`. */
  pciId: string
  /** Whether it is part of a processor and shares its memory; null if the chip is not known. */
  integrated: boolean | null
  /**
   * Bytes of memory for computing, or null if no driver reports it. For an integrated GPU, the part of the shared memory that the driver
   * offers.
   */
  memoryTotal: number | null
  /** Bytes of memory that no process uses, or null. */
  memoryFree: number | null
  /** Why it is or is not used. */
  reason: BackendReason
}

/** Something that the library found while it checked the GPU. */
export interface BackendNote {
  reason: BackendReason
  /** One sentence that names the file, group, device or library. */
  message: string
  /** What to do, most likely first. */
  advice: readonly string[]
}

/** One stage of the trial of a GPU. */
export interface ProbeStage {
  /**
   * For example `library`, `devices` or `mul_mat q4_K of one column`. Operations have ggml's names, with the types and layouts for which a
   * GPU chooses different kernels.
   */
  name: string
  /** How long it took; for a stage that did not finish, the time until the process ended. */
  milliseconds: number
  ok: boolean
  /** For a stage that computes: normalised mean squared error against the CPU; null if values are not numbers. */
  error?: number | null
  /** The only weight type whose models use the operation, e.g. `q4_K`; absent if all models use it. */
  weights?: string
  /** Set if the device does not support the operation, which would run on the CPU. */
  unsupported?: true
  /** What was wrong. */
  problem?: string
}

/** A ROCm installation on this machine. */
export interface RocmInstallation {
  /** Absolute path, e.g. `/opt/rocm-7.0.2`, or `/usr` for the distribution's packages. */
  folder: string
  /** For example `7.0.2`; null if unknown. */
  version: string | null
  /** Path of its HIP runtime (`libamdhip64`), or null. */
  runtime: string | null
  /** Whether the loader uses this installation's runtime for the HIP module, or for any program if there is no module. */
  chosen: boolean
  /** Whether the HIP module can use it on this machine as it is. */
  usable: boolean
  /** Why it is not usable, or null. */
  problem: string | null
}

/** Progress of the trial of a GPU. */
export interface TrialProgress {
  stage: 'trial'
  /** 0 while the trial runs, 1 once it has ended. */
  progress: number
  /** Name and PCI address of the GPU. */
  gpu: string
  /** The stage that is running or has ended last, e.g. `mul_mat f16`; `start` before the first one. See {@link ProbeStage}. */
  step: string
}

/** What a model loaded now would run on, and why. */
export interface BackendInfo {
  active: 'hip' | 'cpu'
  reason: BackendReason
  /** One sentence that says what is missing, or what is used. */
  message: string
  /** What to do, most likely first; empty if all is well. */
  advice: readonly string[]
  /** Other findings: problems beyond the first one, and what was done about harmless ones. */
  notes: readonly BackendNote[]
  /** The GPU in use. */
  device: GpuDevice | null
  /** Every AMD GPU in the machine. */
  devices: readonly GpuDevice[]
  /** How this addon was built; null if it cannot be loaded. */
  build: {
    hip: boolean
    hipVersion: string | null
    gpuTargets: readonly string[]
    whisperCpp: string
    ggml: string
    compiler: string
    portable: boolean
  } | null
  /**
   * The ROCm runtime that the loader finds for the HIP module, with its version if known; null without the module or the runtime.
   */
  rocm: { runtimeVersion: string | null; libraries: readonly { soname: string; path: string }[] } | null
  /** Every ROCm installation on the machine, usable or not. */
  installations: readonly RocmInstallation[]
  /**
   * Absolute paths of the libraries that are loaded. The HIP module is loaded only with a model; until then, this is the one that the trial
   * loaded.
   */
  libraries: { addon: string | null; cpu: string | null; hip: string | null }
  /** The environment variables that affect the outcome, with their values. */
  environment: Readonly<Record<string, string>>
  /** The trial of the GPU in a child process, if there was one. */
  probe: {
    stages: readonly ProbeStage[]
    /** Whether the verdict comes from an earlier trial. */
    cached: boolean
    /** How the process ended: `code 0`, a signal such as `SIGSEGV`, or `killed after 30 s`. */
    exit: string
    /** The end of what it wrote to standard error, at most 4 kB. */
    stderr: string
  } | null
  /** Which backend computes each part. */
  components: Record<'encoder' | 'decoder' | 'vad' | 'mel', 'hip' | 'cpu'>
}
