// @ts-check
import { basename, dirname, join } from 'node:path'

/**
 * Where a ROCm may be that no package manager of the system has put into the loader's sight. Layouts: AMD's packages
 * (`/opt/rocm-6.4.1`, since 7.14 `/opt/rocm/core-7.14`), TheRock's archives (unpacked anywhere) and its Python packages
 * (`_rocm_sdk_core`, `_rocm_sdk_libraries*` and `_rocm_sdk_devel` side by side in `site-packages`; ROCm/TheRock,
 * `build_tools/packaging/python`). JavaScript, because the scripts of the published package look there too.
 */

/**
 * What is read of a machine: `Sysroot`, or the file system itself.
 * @typedef {object} Files
 * @property {(path: string) => string[]} list names in a folder; none when there is none
 * @property {(path: string) => boolean} exists
 * @property {(path: string) => string | null} realpath
 */

const WHEELS = /^_rocm_sdk_(devel|libraries|core)/
/** Folders of a home into which archives are unpacked. */
const UNPACKED = /rocm|therock/i

/**
 * Folders that hold libraries of ROCm, or would: those that variables name first, then the newest.
 * @param {Files} files
 * @param {NodeJS.ProcessEnv} environment
 * @param {string | null} [built] folder of the ROCm that the HIP module was compiled with
 */
export function candidateFolders(files, environment, built = null) {
  const named = [environment.ROCM_PATH, environment.HIP_PATH, built].flatMap((path) => absolute(path) ?? [])
  const prefixes = [
    ...named.flatMap((path) => withSiblings(files, path)),
    ...systemPrefixes(files),
    ...userPrefixes(files, environment),
    '/usr/local',
  ]
  return [...new Set(prefixes.flatMap((prefix) => [join(prefix, 'lib'), join(prefix, 'lib64')]))]
}

/**
 * Where AMD's packages put ROCm, the newest first.
 * @param {Files} files
 * @param {string} [opt]
 */
export function systemPrefixes(files, opt = '/opt') {
  const rocm = join(opt, 'rocm')
  return [rocm, ...newest(files, rocm, /^core(-|$)/), ...newest(files, opt, /^rocm-/)]
}

/**
 * Where a user has put ROCm: in Python packages, beside its programs in `PATH`, unpacked in the home folder.
 * @param {Files} files
 * @param {NodeJS.ProcessEnv} environment
 */
export function userPrefixes(files, environment) {
  const programs = ['hipconfig', 'rocminfo'].flatMap((name) => prefixesOf(files, environment, name))
  const prefixes = [
    ...pythonPrefixes(files, environment).flatMap((prefix) => wheelsOf(files, prefix)),
    ...programs.filter((prefix) => files.exists(join(prefix, 'lib'))),
    ...homeFolders(files, environment),
  ]
  return [...new Set(prefixes)]
}

/**
 * Parts of one ROCm lie in several Python packages: whoever names one means all.
 * @param {Files} files
 * @param {string} prefix
 */
export function withSiblings(files, prefix) {
  return isWheel(prefix) ? [...new Set([prefix, ...newest(files, dirname(prefix), WHEELS)])] : [prefix]
}

/** @param {string} prefix whether it is the folder of a Python package of ROCm */
export const isWheel = (prefix) => WHEELS.test(basename(prefix))

/**
 * Where Python packages may be installed: the active environments, the user's own, and that of `python3` in `PATH`.
 * @param {Files} files
 * @param {NodeJS.ProcessEnv} environment
 */
function pythonPrefixes(files, environment) {
  const { VIRTUAL_ENV, CONDA_PREFIX, HOME } = environment
  const active = [VIRTUAL_ENV, CONDA_PREFIX].flatMap((path) => absolute(path) ?? [])
  const home = absolute(HOME)
  const own = home === null ? [] : [join(home, '.local')]
  return [...active, ...own, ...prefixesOf(files, environment, 'python3')]
}

/** @param {Files} files @param {string} prefix */
function wheelsOf(files, prefix) {
  return ['lib', 'lib64'].flatMap((lib) =>
    newest(files, join(prefix, lib), /^python3/).flatMap((python) =>
      ['site-packages', 'dist-packages'].flatMap((packages) => newest(files, join(python, packages), WHEELS)),
    ),
  )
}

/**
 * `/x` for a program `/x/bin/name` in `PATH`, and for what it is a link to.
 * @param {Files} files
 * @param {NodeJS.ProcessEnv} environment
 * @param {string} program
 */
function prefixesOf(files, environment, program) {
  const paths = (environment.PATH ?? '').split(':').flatMap((folder) => {
    const path = join(folder, program)
    return folder.startsWith('/') && files.exists(path) ? [path, files.realpath(path) ?? path] : []
  })
  return [...new Set(paths.map((path) => dirname(dirname(path))))].filter((prefix) => prefix !== '/')
}

/**
 * Archives of TheRock in the home folder, as they are or in a folder `install`.
 * @param {Files} files
 * @param {NodeJS.ProcessEnv} environment
 */
function homeFolders(files, { HOME }) {
  const home = absolute(HOME)
  if (home === null) return []
  return newest(files, home, UNPACKED).flatMap((folder) => [
    folder,
    join(folder, 'install'),
    ...newest(files, folder, UNPACKED),
  ])
}

/** @param {string | null | undefined} path */
function absolute(path) {
  const text = path?.trim() ?? ''
  return text.startsWith('/') ? text.replace(/(.)\/+$/, '$1') : null
}

/**
 * Paths of what a folder holds under such names, the highest number first.
 * @param {Files} files
 * @param {string} folder
 * @param {RegExp} pattern
 */
export function newest(files, folder, pattern) {
  return files
    .list(folder)
    .filter((name) => pattern.test(name))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((name) => join(folder, name))
}
