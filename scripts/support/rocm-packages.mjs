// @ts-check
import {
  archiveRocm,
  GUIDE,
  isRecentRocm,
  osReleaseFields,
  takesEpel,
} from '../../lib/backend/preflight/rocm-releases.mjs'
import { installCommand, packageManager } from './distribution.mjs'

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
  const fromAmd = `of AMD's repositories: ${amd.join(' ')} (ROCm 7.2 and older) or amdrocm-core-sdk (7.14 and newer), as AMD's page says: ${GUIDE}`
  const fields = osReleaseFields(osRelease)
  const archive = archiveRocm(fields)
  if (!manager || manager === 'apk' || !isRecentRocm(archive)) {
    const old =
      archive === null ? '' : ` The packages of this distribution are ROCm ${archive}, which is too old.`
    return `Install the packages ${fromAmd}.${old}`
  }
  const names = DISTRIBUTION[manager]
  const command = installCommand(manager, [...new Set(parts.map((part) => names[part]))], root)
  const first = takesEpel(fields) ? `${installCommand(manager, ['epel-release'], root)} && ` : ''
  return `Install with: ${first}${command}. Or the packages ${fromAmd}.`
}
