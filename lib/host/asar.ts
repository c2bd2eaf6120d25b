import { existsSync } from 'node:fs'
import { sep } from 'node:path'
import { WhisperHipError } from '../errors.ts'

/** What the program of isolated models imports. A Node that cannot read archives needs these packages on the disk as well. */
const COMPANIONS = ['bindings', 'file-uri-to-path', 'node-gyp-build', 'pend', 'yauzl'] as const

/** What to do about native files that were packed into the archive of an Electron application. */
const unpackAdvice = adviceFor(['whisper-hip', '@whisper-hip'])

/** The same for the program of isolated models, which needs the packages that this one depends on. */
export const unpackAllAdvice = adviceFor(['whisper-hip', '@whisper-hip', ...COMPANIONS])

/**
 * Where a file of this package is on the disk. Electron's `fs` and `require` read inside `app.asar` as if it were a folder. The loader of
 * shared libraries, native code and other processes cannot: for them, packagers unpack files into `app.asar.unpacked`.
 * @param path absolute path of a file or folder, in an archive or not
 * @returns the path outside the archive; a path in no archive is returned unchanged, whether it exists or not
 * @throws {@link WhisperHipError} `ERR_NATIVE_MISSING` if it was not unpacked, with advice on what to unpack
 */
export function onDisk(path: string, advice: readonly string[] = unpackAdvice): string {
  const unpacked = outside(path)
  if (unpacked === null || existsSync(unpacked)) return unpacked ?? path
  throw notUnpacked(unpacked, advice)
}

/** Whether a path lies in an archive, or beside one among its unpacked files. */
export function isOfArchive(path: string): boolean {
  return outside(path) !== null
}

/** @param path outside the archive, of the file that does not exist */
export function notUnpacked(
  path: string,
  advice: readonly string[] = unpackAdvice,
  cause?: unknown,
): WhisperHipError {
  return new WhisperHipError(
    'ERR_NATIVE_MISSING',
    `${path} is missing: whisper-hip was packed into the application's archive, where native code and other processes cannot read it`,
    { advice, cause },
  )
}

/** The same path among the unpacked files; null where it lies neither there nor in an archive. */
function outside(path: string): string | null {
  const folders = path.split(sep)
  // The innermost: nobody can put one archive into another, but the folder that an application is in may have such a name.
  const at = folders.findLastIndex((name, index) => index < folders.length - 1 && isArchive(name))
  if (at < 0) return null
  if (folders[at]?.endsWith('.asar')) folders[at] += '.unpacked'
  return folders.join(sep)
}

/** By its name: `app.asar` everywhere, and what Electron takes for an archive there. */
function isArchive(folder: string): boolean {
  const name = folder.replace(/\.unpacked$/, '')
  return name === 'app.asar' || ('electron' in process.versions && name.endsWith('.asar'))
}

function adviceFor(packages: readonly string[]): string[] {
  const lists = packages.map((name) => `"node_modules/${name}/**"`).join(', ')
  const glob = packages.length > 1 ? `{${packages.join(',')}}` : packages[0]
  return [
    `With electron-builder, unpack it: asarUnpack: [${lists}]`,
    `With Electron Forge, unpack it: packagerConfig.asar.unpack: '**/node_modules/${glob}/**'`,
  ]
}
