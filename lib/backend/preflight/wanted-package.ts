import { familyOf, hipPackageName, ROCM_MAJORS } from '../hip-packages.mjs'
import type { RocmInstallation } from '../types.ts'
import type { Gpu } from './gpus.ts'
import type { Machine } from './machine.ts'
import type { Fact } from './reason-text.ts'
import { byPreference } from './select.ts'

/**
 * Name of the package with the HIP module for the best GPU and the ROCm that is there; null where no package has one.
 * @param gpus of which one is to be used
 */
export function wantedPackage(
  gpus: readonly Gpu[],
  installations: readonly RocmInstallation[],
  arch: string,
): string | null {
  const family = familyOf(byPreference(gpus)[0]?.kfd?.gfx ?? '')
  const { runtime } = installations.find(({ chosen }) => chosen) ?? installations[0] ?? {}
  // By the name that the module looks for: ROCm 10 still has that of 7.
  const rocm = ROCM_MAJORS.find((major) => runtime?.endsWith(`.so.${major}`))
  if (arch !== 'x64' || family === null || rocm === undefined) return null
  return hipPackageName('linux-x64', rocm, family)
}

/** For advice on a module that a package brought and that is for another GPU or ROCm: one that was compiled here would go before any package. */
export function otherPackage(gpus: readonly Gpu[], machine: Machine): Partial<Record<Fact, string>> {
  const { module, installations, arch } = machine
  const wanted = wantedPackage(gpus, installations, arch)
  const isOther = module !== null && module.package !== null && wanted !== module.package
  return wanted !== null && isOther ? { package: wanted } : {}
}
