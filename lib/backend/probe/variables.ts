/** Variables that ROCm, the loader and ggml read, and those of this library. */
const READ_BY_ROCM = /^(AMD|COMGR|CUDA|DXG|GGML|GPU|HCC|HIP|HSA|LD|ROC|TENSILE|WHISPER_HIP|XNACK)_?/

/**
 * What changes nothing for the GPU, though it is read: the same trial would give the same numbers. Whoever turns a log on to look
 * for a fault must not set off a trial of a GPU whose answer is known.
 */
const CHANGES_NOTHING: readonly RegExp[] = [
  // Logs of HIP's runtime and of the driver's library; HIP_TRACE_API and HIP_DB are those of older releases
  /^AMD_LOG_(LEVEL|MASK|LEVEL_FILE|LEVEL_SIZE)$/,
  /^(HSAKMT_DEBUG_LEVEL|HIP_TRACE_API|HIP_TRACE_API_COLOR|HIP_DB|HIP_PRINT_ENV|HIPCC_VERBOSE)$/,
  // What the code object manager prints and keeps beside; its cache (AMD_COMGR_CACHE…) does change what is loaded
  /^AMD_COMGR_(EMIT_VERBOSE_LOGS|REDIRECT_LOGS|TIME_STATISTICS|SAVE_TEMPS|SAVE_LLVM_TEMPS)$/,
  // Logs of the BLAS libraries. TENSILE_DB only prints; TENSILE_DB2 leaves kernels out, and ROCBLAS_CHECK_NUMERICS computes
  /^ROCBLAS_(LAYER|LOG_.*|VERBOSE_.*)$/,
  /^(HIPBLASLT|HIPBLAS|ROCSOLVER|ROCSPARSE)_(LAYER|LOG_.*|ENABLE_MARKER)$/,
  /^TENSILE_DB$/,
  /^ROCPROFILER_LOG_.*$/,
  // What ggml prints about its graphs, and how it reports a crash
  /^GGML_(SCHED_DEBUG|SCHED_DEBUG_REALLOC|META_DEBUG|NO_BACKTRACE|BACKTRACE_LLDB|LOG.*)$/,
  // What the loader of the system prints
  /^LD_(DEBUG|DEBUG_OUTPUT|VERBOSE|WARN|SHOW_AUXV)$/,
  // Of this library: builds, limits, folders and programs. The module and the machine that it names count by what they are.
  /^WHISPER_HIP_(BUILD|TARGETS|ALL_KERNELS|PORTABLE|ARCHIVE_HOST|TRIAL_SECONDS|WATCH_SECONDS|PINNED|CACHE|FFMPEG|NODE|CHILD|TEST_MODEL)$/,
  // What an application and the processes that it starts as Node differ in
  /^ELECTRON_RUN_AS_NODE$/,
  // What differs from shell to shell
  /^(npm_.*|_|OLDPWD|PWD|SHLVL|INIT_CWD|TERM.*|COLUMNS|LINES|COLORTERM|NO_COLOR|FORCE_COLOR)$/,
]

/**
 * The variables on which a verdict depends, sorted by name. A module that the user names may read variables that only its maker
 * knows: for it any difference counts.
 */
export function decisiveVariables(environment: NodeJS.ProcessEnv): [string, string | undefined][] {
  const isNamed = Boolean(environment.WHISPER_HIP_LIBRARY)
  return Object.entries(environment)
    .filter(([name]) => isNamed || READ_BY_ROCM.test(name))
    .filter(([name]) => !CHANGES_NOTHING.some((pattern) => pattern.test(name)))
    .sort(([a], [b]) => (a < b ? -1 : 1))
}
