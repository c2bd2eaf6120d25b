import { resolve } from 'node:path'
import { advise } from './advice.ts'
import { readCodeTargets } from './code-objects.ts'
import { isElf, readElf } from './elf.ts'
import { type Library, MACHINES } from './loader.ts'
import type { Finding } from './machine.ts'
import { isFailure, type Sysroot } from './sysroot.ts'

/** The part of a build report that is about HIP. */
export interface HipBuild {
  /** One sentence: what was built, or why not. */
  message: string
  /** Absolute path of the HIP module, or null. */
  module: string | null
  hipVersion: string | null
  gpuTargets: readonly string[]
}

/** A HIP module that the loader could take. */
export interface HipModule {
  library: Library
  /** The chips that it has code for, or null when it does not tell. */
  targets: readonly string[] | null
  /** HIP's version when it was built, or null. */
  hipVersion: string | null
  /** Named by `WHISPER_HIP_LIBRARY`, and not the one of this build. */
  isNamed: boolean
}

/** The path of the HIP module: `WHISPER_HIP_LIBRARY`, else the one of the build. */
export function modulePath(build: HipBuild, environment: NodeJS.ProcessEnv): string | null {
  return environment.WHISPER_HIP_LIBRARY ? resolve(environment.WHISPER_HIP_LIBRARY) : build.module
}

/** What is to be said of a build without HIP. */
export function notCompiled(build: HipBuild): Finding {
  return {
    reason: 'NOT_COMPILED',
    message: `This build of whisper-hip has no HIP backend: ${build.message}`,
    advice: advise('NOT_COMPILED', new Set(), {}),
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
  const file = root.open(path)
  if (isFailure(file)) return file.errno === 'ENOENT' ? 'does not exist' : `cannot be read (${file.errno})`
  try {
    const elf = readElf(file)
    if (elf === null) return isElf(file) ? 'is damaged' : 'is not a shared library'
    if (elf.machine !== MACHINES[arch]) return `is not for this processor (${arch})`
    const isNamed = Boolean(environment.WHISPER_HIP_LIBRARY)
    const ownTargets = isNamed || build.gpuTargets.length === 0 ? null : build.gpuTargets
    return {
      library: { path, ...elf },
      targets: readCodeTargets(root, path) ?? ownTargets,
      hipVersion: isNamed ? null : build.hipVersion,
      isNamed,
    }
  } finally {
    file.close()
  }
}
