/** Variables that are set to nothing and meant as not set, as compose files and templates write them (`NAME=${NAME:-}`). */

/** What ROCm reads itself, and takes a blank value for a wrong one: these are unset before HIP starts. */
const READ_BY_ROCM = /^(HSA_OVERRIDE_GFX_VERSION(_\d+)?|ROCBLAS_TENSILE_LIBPATH)$/
/** What names a place for this library. */
const READ_HERE =
  /^(ROCM_PATH|HIP_PATH|VIRTUAL_ENV|CONDA_PREFIX|WHISPER_HIP_(LIBRARY|SYSROOT)|HSA_ENABLE_DXG_DETECTION)$/

export interface MeantEnvironment {
  /** The variables without the blank ones. */
  environment: NodeJS.ProcessEnv
  /** Names of blank variables that would lead ROCm astray, sorted. */
  blank: readonly string[]
}

/**
 * The variables as they are meant. `*_VISIBLE_DEVICES` stay: an empty list of them hides all GPUs, and is the known way to do so.
 */
export function meantEnvironment(given: NodeJS.ProcessEnv): MeantEnvironment {
  const environment = { ...given }
  const blank: string[] = []
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value.trim() !== '') continue
    if (READ_BY_ROCM.test(name)) blank.push(name)
    if (READ_BY_ROCM.test(name) || READ_HERE.test(name)) delete environment[name]
  }
  return { environment, blank: blank.sort() }
}
