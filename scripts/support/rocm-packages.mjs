// @ts-check
import { distributionIds, installCommand, packageManager } from './distribution.mjs'

/**
 * What the HIP module is compiled with.
 * @typedef {'compiler' | 'headers' | 'rocblas' | 'hipblas' | 'devicelibs'} Part
 */

/** In words for a message. */
export const PARTS = {
  compiler: 'the HIP compiler (clang++)',
  headers: 'the development files of the HIP runtime',
  rocblas: 'the development files of rocBLAS',
  hipblas: 'the development files of hipBLAS',
  devicelibs: 'the device libraries',
}

/** Packages of the distributions themselves. */
const DISTRIBUTION = {
  apt: {
    compiler: 'hipcc',
    headers: 'libamdhip64-dev',
    rocblas: 'librocblas-dev',
    hipblas: 'libhipblas-dev',
    devicelibs: 'rocm-device-libs',
  },
  dnf: {
    compiler: 'hipcc',
    headers: 'rocm-hip-devel',
    rocblas: 'rocblas-devel',
    hipblas: 'hipblas-devel',
    devicelibs: 'rocm-device-libs',
  },
  zypper: {
    compiler: 'hipcc',
    headers: 'rocm-hip-devel',
    rocblas: 'rocblas-devel',
    hipblas: 'hipblas-devel',
    devicelibs: 'rocm-device-libs',
  },
  pacman: {
    compiler: 'rocm-llvm',
    headers: 'hip-runtime-amd',
    rocblas: 'rocblas',
    hipblas: 'hipblas',
    devicelibs: 'rocm-device-libs',
  },
}

/** AMD's own packages before ROCm 7.14; `-dev` is `-devel` where packages are RPMs. */
const AMD = {
  compiler: 'rocm-llvm',
  headers: 'hip-dev',
  rocblas: 'rocblas-dev',
  hipblas: 'hipblas-dev',
  devicelibs: 'rocm-device-libs',
}

/** Distributions whose users take AMD's packages, because their own repositories have no ROCm. */
const WITHOUT_ROCM = ['rhel', 'centos', 'rocky', 'almalinux', 'ol', 'amzn', 'sles']

/**
 * How to install what is missing, as sentences.
 * @param {Part[]} parts
 * @param {string} osRelease contents of /etc/os-release
 * @param {boolean} root whether the user is root
 */
export function rocmAdvice(parts, osRelease, root) {
  const manager = packageManager(osRelease)
  const amd = [...new Set(parts.map((part) => AMD[part]))].map((name) =>
    manager === 'dnf' || manager === 'zypper' ? name.replace(/-dev$/, '-devel') : name,
  )
  const fromAmd = `of AMD's repositories: ${amd.join(' ')} (ROCm 7.2 and older) or amdrocm-core-sdk (7.14 and newer)`
  const own = !WITHOUT_ROCM.includes(distributionIds(osRelease)[0] ?? '')
  if (!manager || manager === 'apk' || !own) return `Install the packages ${fromAmd}.`
  const names = DISTRIBUTION[manager]
  const command = installCommand(manager, [...new Set(parts.map((part) => names[part]))], root)
  return `Install with: ${command}. Or the packages ${fromAmd}.`
}
