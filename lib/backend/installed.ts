import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../cache-folder.ts'
import { onDisk } from '../host/asar.ts'
import { messageOf } from '../kinds.ts'
import { BUILD_REPORT_FILE, type BuildReport, readBuildReport } from './build-report.ts'
import { hipPackageNames } from './hip-packages.mjs'

/**
 * What was compiled lies in other places than this package: in packages beside it, which are made for one system each, and in the cache,
 * where the package's own folder cannot be written to.
 */

/** Name of the package with the addon for this system. */
export const addonPackage = (): string => `@whisper-hip/${system()}`

const system = () => `${process.platform}-${process.arch}`

/** A folder with a build, and what its report says. */
export interface InstalledBuild {
  /** Name of the package. */
  name: string
  /** Absolute path. */
  folder: string
  report: BuildReport
}

/** A package with a HIP module that this version cannot use. */
export interface RefusedBuild {
  name: string
  /** One sentence, without a full stop. */
  problem: string
}

/** Folder of the build in the cache of this user, of one version of the sources. */
export function cachedBuildFolder(version: string): string {
  return join(cacheFolder(), 'build', `${version}-${process.platform}-${process.arch}`)
}

/**
 * Folder of a package, as this package would be given it; null where it is not installed. Not as the working directory would: the program
 * may run in any, and what is found is native code.
 * @throws {@link WhisperHipError} `ERR_NATIVE_MISSING` where it lies in the archive of an Electron application alone
 */
export function folderOfPackage(name: string, root: string): string | null {
  let manifest: string
  try {
    manifest = createRequire(join(root, 'package.json')).resolve(`${name}/package.json`)
  } catch {
    return null
  }
  return dirname(onDisk(manifest))
}

/**
 * The packages with a HIP module, best first. A module works with the core of ggml of its own release only.
 * @param root folder of this package
 * @param own report of the addon that the module is for
 */
export function installedHipModules(
  root: string,
  own: BuildReport,
): { usable: InstalledBuild[]; refused: RefusedBuild[] } {
  const usable: InstalledBuild[] = []
  const refused: RefusedBuild[] = []
  for (const name of hipPackageNames(system())) {
    const found = readInstalled(name, root, own)
    if (found === null) continue
    if ('problem' in found) refused.push(found)
    else usable.push(found)
  }
  return { usable, refused }
}

function readInstalled(name: string, root: string, own: BuildReport): InstalledBuild | RefusedBuild | null {
  let folder: string | null
  let report: BuildReport | null
  try {
    folder = folderOfPackage(name, root)
    if (folder === null) return null
    report = readBuildReport(folder)
  } catch (error) {
    return { name, problem: messageOf(error) }
  }
  if (report === null) return { name, problem: `${name} in ${folder} has no ${BUILD_REPORT_FILE}` }
  const { hip } = report.built
  if (hip === null || report.sha256?.[hip] === undefined)
    return { name, problem: `The build report of ${name} names no HIP module with a hash` }
  if (report.whisperHip !== own.whisperHip || report.ggml !== own.ggml)
    return {
      name,
      problem: `${name} is version ${report.whisperHip} and whisper-hip is version ${own.whisperHip}: install ${name}@${own.whisperHip}`,
    }
  if (!existsSync(join(folder, hip))) return { name, problem: `${join(folder, hip)} is missing` }
  return { name, folder, report }
}
