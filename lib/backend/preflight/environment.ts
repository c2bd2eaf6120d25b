/** Variables that decide which GPU is used, or how. */
const VARIABLES = [
  'AMD_LOG_LEVEL',
  'CUDA_VISIBLE_DEVICES',
  'GGML_CUDA_CUBLAS_COMPUTE_TYPE',
  'GGML_CUDA_DEVICES',
  'GGML_CUDA_DISABLE_FUSION',
  'GGML_CUDA_DISABLE_GRAPHS',
  'GGML_CUDA_ENABLE_UNIFIED_MEMORY',
  'GGML_CUDA_NO_PINNED',
  'GPU_DEVICE_ORDINAL',
  'HIP_LAUNCH_BLOCKING',
  'HIP_PATH',
  'HIP_VISIBLE_DEVICES',
  'HSA_ENABLE_DXG_DETECTION',
  'HSA_ENABLE_SDMA',
  'HSA_OVERRIDE_GFX_VERSION',
  'HSA_XNACK',
  'LD_LIBRARY_PATH',
  'LD_PRELOAD',
  'ROCBLAS_TENSILE_LIBPATH',
  'ROCBLAS_USE_HIPBLASLT',
  'ROCM_PATH',
  'ROCR_VISIBLE_DEVICES',
  'WHISPER_HIP_BUILD',
  'WHISPER_HIP_CPU',
  'WHISPER_HIP_LIBRARY',
  'WHISPER_HIP_SYSROOT',
  'WHISPER_HIP_TRIAL_SECONDS',
  'WHISPER_HIP_WATCH_SECONDS',
]
const NODE_OVERRIDE = /^HSA_OVERRIDE_GFX_VERSION_\d+$/

/** Those variables that are set. */
export function relevantEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const names = [...VARIABLES, ...Object.keys(environment).filter((name) => NODE_OVERRIDE.test(name))]
  const set: Record<string, string> = {}
  for (const name of names.sort()) {
    const value = environment[name]
    if (value !== undefined) set[name] = value
  }
  return set
}
