import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { WhisperHipError } from '../errors.ts'
import { isOfArchive, notUnpacked, onDisk } from '../host/asar.ts'
import { messageOf } from '../kinds.ts'
import { attachLogSource } from '../log.ts'
import type { NativeAddon, NativeBackends } from '../native.ts'
import { BUILD_REPORT_FILE, type BuildReport, readBuildReport } from './build-report.ts'
import { addonPackage, cachedBuildFolder, folderOfPackage } from './installed.ts'
import { packageRoot, packageVersion } from './package-root.ts'

/** As the package requires it, also where a bundler has put this code elsewhere. */
const requireHere = (name: string) => createRequire(join(packageRoot(), 'package.json'))(name)

/** The addon of this process, and what its build says about it. */
export interface LoadedAddon {
  native: NativeAddon
  /** Absolute path of the `.node` file. */
  path: string
  report: BuildReport
}

let loaded: LoadedAddon | undefined

/**
 * Finds and loads the addon: a local build first, else one in the cache, a prebuild in this package, or the package for this system. A failure
 * is not kept: it may pass, as a full file table does, or be mended by a build.
 * @throws {@link WhisperHipError} `ERR_NATIVE_MISSING` with everything that was tried
 */
export function addon(): LoadedAddon {
  try {
    loaded ??= load()
    return loaded
  } catch (error) {
    if (error instanceof WhisperHipError) throw error
    throw missing(`The addon failed to load: ${messageOf(error)}`, error)
  }
}

let backends: Promise<NativeBackends> | undefined

/** Loads the backend modules beside the addon, once. Rejects with `ERR_NATIVE_MISSING` when there is none for this CPU: that is not kept. */
export async function loadBackends(): Promise<NativeBackends> {
  const loaded = addon()
  backends ??= loaded.native.loadBackends(cpuModulePaths(loaded)).catch((error) => {
    backends = undefined
    throw error
  })
  return backends
}

/** Absolute paths of the CPU modules beside the addon. */
export function cpuModulePaths({ path, report }: LoadedAddon): string[] {
  return report.built.cpu.map((file) => join(dirname(path), file))
}

/** Absolute path of the program beside the addon that tries a GPU without Node; null in a build without. */
export function trialProgramPath({ path, report }: LoadedAddon): string | null {
  return report.built.trial === undefined ? null : join(dirname(path), report.built.trial)
}

function load(): LoadedAddon {
  const path = locate(onDisk(packageRoot()))
  const folder = dirname(path)
  // A packager that unpacks *.node alone leaves the report and all libraries in the archive.
  const report = readBuildReport(dirname(onDisk(join(folder, BUILD_REPORT_FILE))))
  if (report === null) throw missing(`The addon ${path} has no build report beside it`)
  const { base, cpu, hip, trial } = report.built
  for (const file of [base, ...cpu, hip, trial]) if (file) onDisk(join(folder, file))
  let native: NativeAddon
  try {
    native = requireHere(path) as NativeAddon
  } catch (error) {
    throw missing(`The addon ${path} cannot be loaded: ${messageOf(error)}`, error)
  }
  if (native.build.whisperCpp !== report.whisperCpp) {
    throw missing(
      `The addon ${path} was built from whisper.cpp ${native.build.whisperCpp}, its build report says ${report.whisperCpp}`,
    )
  }
  attachLogSource(native)
  return { native, path, report }
}

/** Each gives the path of the addon, or null, or throws what is to be said of its place. */
const PLACES: readonly ((root: string) => string | null)[] = [
  // `bindings` looks through the build folders and lists them all when none has the file.
  (root) => requireHere('bindings')({ bindings: 'whisper_hip', module_root: root, path: true }),
  inCache,
  (root) => requireHere('node-gyp-build').resolve(root),
  inPackage,
]

function locate(root: string): string {
  const failures: unknown[] = []
  for (const find of PLACES) {
    try {
      const path = find(root)
      if (path !== null) return path
    } catch (error) {
      failures.push(error)
    }
  }
  const cause = new AggregateError(failures, failures.map(messageOf).join('; '))
  if (isOfArchive(root))
    throw notUnpacked(join(root, 'build', 'Release', 'whisper_hip.node'), undefined, cause)
  const system = `${process.platform}-${process.arch}`
  const refused = failures.filter((failure) => failure instanceof WhisperHipError).map(messageOf)
  throw missing(
    [
      `whisper-hip has neither a local build nor a prebuild for ${system}: there is nothing to load in ${join(root, 'build')} and ${join(root, 'prebuilds')}, and the package ${addonPackage()} is not ${refused.length > 0 ? 'of use' : 'installed'}`,
      ...refused,
    ].join('; '),
    cause,
  )
}

/** What was built where this package cannot be written to. */
function inCache(root: string): string | null {
  const path = join(cachedBuildFolder(packageVersion(root)), 'Release', 'whisper_hip.node')
  return existsSync(path) ? path : null
}

/** The package for this system. */
function inPackage(root: string): string | null {
  const folder = folderOfPackage(addonPackage(), root)
  if (folder === null) return null
  const report = readBuildReport(folder)
  const version = packageVersion(root)
  if (report === null) throw missing(`The package ${folder} has no build report`)
  if (report.whisperHip !== version)
    throw missing(
      `${addonPackage()} in ${folder} is version ${report.whisperHip}, whisper-hip is version ${version}`,
    )
  return join(folder, report.built.addon)
}

function missing(message: string, cause?: unknown): WhisperHipError {
  return new WhisperHipError('ERR_NATIVE_MISSING', message, {
    cause,
    advice: [
      'Build it here (needs a C++17 compiler and CMake 3.21): npx whisper-hip build',
      `Or install what was built for this system, where the package manager left it out (--omit=optional): npm install ${addonPackage()}`,
    ],
  })
}
