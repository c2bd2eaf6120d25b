import { resolve } from 'node:path'
import { advise } from './advice.ts'
import { readCodeTargets } from './code-objects.ts'
import { isElf, readElf } from './elf.ts'
import { isFailure } from './failure.ts'
import type { Finding } from './finding.ts'
import { type Damage, damageOf } from './library-damage.ts'
import { type Library, MACHINES } from './loader.ts'
import type { Sysroot } from './sysroot.ts'

/** The part of a build report that is about HIP. */
export interface HipBuild {
  /** One sentence: what was built, or why not. */
  message: string
  /** Absolute path of the HIP module, or null. */
  module: string | null
  hipVersion: string | null
  gpuTargets: readonly string[]
  /** Folder of the ROCm that the module was compiled with, or null. */
  rocm?: string | null
  /** Name of the package that brought the module; absent for one that was compiled here. */
  package?: string
  /** What is wrong with the module's file, to follow its path in a sentence. */
  damage?: string
}

/** A HIP module that the loader could take. */
export interface HipModule {
  library: Library
  /** The chips that it has code for, or null when it does not tell. */
  targets: readonly string[] | null
  /** HIP's version when it was built, or null. */
  hipVersion: string | null
  /** Folder of the ROCm that it was compiled with, or null. */
  rocm: string | null
  /** Name of the package that brought it, or null. */
  package: string | null
  /** Named by `WHISPER_HIP_LIBRARY`, and not the one of this build. */
  isNamed: boolean
}

/** The path of the HIP module: `WHISPER_HIP_LIBRARY`, else the one of the build. */
export function modulePath(build: HipBuild, environment: NodeJS.ProcessEnv): string | null {
  const named = environment.WHISPER_HIP_LIBRARY
  return named?.trim() ? resolve(named) : build.module
}

/**
 * What is to be said of a build without HIP.
 * @param name of the package that has the module for this machine, or null
 */
export function notCompiled(build: HipBuild, name: string | null): Finding {
  const install = name === null ? '' : ` The package ${name} has it for this machine`
  return {
    reason: 'NOT_COMPILED',
    message: `This build of whisper-hip has no HIP backend: ${build.message}${install}`,
    advice: advise('NOT_COMPILED', new Set(), name === null ? {} : { package: name }),
  }
}

/** @returns the module, or what is wrong with the file, to follow its path in a sentence */
export function readModule(
  root: Sysroot,
  path: string,
  build: HipBuild,
  environment: NodeJS.ProcessEnv,
  arch: string,
): HipModule | string {
  if (build.damage !== undefined && path === build.module) return build.damage
  const file = root.open(path)
  if (isFailure(file)) return file.errno === 'ENOENT' ? 'does not exist' : `cannot be read (${file.errno})`
  try {
    const damage = damageOf(file, MACHINES[arch])
    if (damage !== null) return describeDamage(isElf(file), damage, arch)
    const elf = readElf(file)
    if (elf === null) return 'is damaged'
    const isNamed = Boolean(environment.WHISPER_HIP_LIBRARY?.trim())
    const ownTargets = isNamed || build.gpuTargets.length === 0 ? null : build.gpuTargets
    return {
      library: { path, ...elf },
      targets: readCodeTargets(root, path) ?? ownTargets,
      hipVersion: isNamed ? null : build.hipVersion,
      rocm: isNamed ? null : (build.rocm ?? null),
      package: isNamed ? null : (build.package ?? null),
      isNamed,
    }
  } finally {
    file.close()
  }
}

function describeDamage(isElf: boolean, { problem, stops }: Damage, arch: string): string {
  if (!isElf) return `is not a shared library: it ${problem}`
  return stops ? `is damaged: it ${problem}` : `is not for this processor (${arch}): it ${problem}`
}
