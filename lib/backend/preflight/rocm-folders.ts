import { basename, dirname, join } from 'node:path'
import type { Sysroot } from './sysroot.ts'

/**
 * Where a ROCm may be that no package manager of the system has put into the loader's sight. Layouts: AMD's packages
 * (`/opt/rocm-6.4.1`, since 7.14 `/opt/rocm/core-7.14`), TheRock's archives (unpacked anywhere) and its Python packages
 * (`_rocm_sdk_core`, `_rocm_sdk_libraries*` and `_rocm_sdk_devel` side by side in `site-packages`; ROCm/TheRock,
 * `build_tools/packaging/python`).
 */

const WHEELS = /^_rocm_sdk_(devel|libraries|core)/
/** Folders of a home into which archives are unpacked. */
const UNPACKED = /rocm|therock/i

/**
 * Folders that hold libraries of ROCm, or would: those that variables name first, then the newest.
 * @param built folder of the ROCm that the HIP module was compiled with, or null
 */
export function candidateFolders(
  root: Sysroot,
  environment: NodeJS.ProcessEnv,
  built: string | null = null,
): string[] {
  const prefixes = rocmPrefixes(root, environment, built)
  const folders = prefixes.flatMap((prefix) => [join(prefix, 'lib'), join(prefix, 'lib64')])
  return [...new Set(folders)]
}

/** The folders that contain `lib`. */
function rocmPrefixes(root: Sysroot, environment: NodeJS.ProcessEnv, built: string | null): string[] {
  const named = [environment.ROCM_PATH, environment.HIP_PATH, built].flatMap((path) => absolute(path) ?? [])
  const prefixes = [
    ...named,
    '/opt/rocm',
    ...newest(root, '/opt/rocm', /^core(-|$)/),
    ...newest(root, '/opt', /^rocm-/),
    ...pythonPrefixes(root, environment).flatMap((prefix) => wheelsOf(root, prefix)),
    ...programPrefixes(root, environment),
    ...homeFolders(root, environment),
    '/usr/local',
  ]
  return [...new Set(prefixes.flatMap((prefix) => withSiblings(root, prefix)))]
}

/** Parts of one ROCm lie in several Python packages: whoever names one means all. */
function withSiblings(root: Sysroot, prefix: string): string[] {
  return WHEELS.test(basename(prefix)) ? [prefix, ...newest(root, dirname(prefix), WHEELS)] : [prefix]
}

/** Where Python packages may be installed: the active environments, the user's own, and that of `python3` in `PATH`. */
function pythonPrefixes(root: Sysroot, environment: NodeJS.ProcessEnv): string[] {
  const { VIRTUAL_ENV, CONDA_PREFIX, HOME } = environment
  const named = [VIRTUAL_ENV, CONDA_PREFIX].flatMap((path) => absolute(path) ?? [])
  const home = absolute(HOME)
  return [
    ...named,
    ...(home === null ? [] : [join(home, '.local')]),
    ...prefixesOf(root, environment, 'python3'),
  ]
}

function wheelsOf(root: Sysroot, prefix: string): string[] {
  return ['lib', 'lib64'].flatMap((lib) =>
    newest(root, join(prefix, lib), /^python3/).flatMap((python) =>
      ['site-packages', 'dist-packages'].flatMap((packages) => newest(root, join(python, packages), WHEELS)),
    ),
  )
}

/** Where ROCm's programs in `PATH` come from. */
function programPrefixes(root: Sysroot, environment: NodeJS.ProcessEnv): string[] {
  return ['hipconfig', 'rocminfo'].flatMap((name) => prefixesOf(root, environment, name))
}

/** `/x` for a program `/x/bin/name` in `PATH`, and for what it is a link to. */
function prefixesOf(root: Sysroot, environment: NodeJS.ProcessEnv, program: string): string[] {
  const paths = (environment.PATH ?? '').split(':').flatMap((folder) => {
    const path = join(folder, program)
    return folder.startsWith('/') && root.exists(path) ? [path, root.realpath(path) ?? path] : []
  })
  return [...new Set(paths.map((path) => dirname(dirname(path))))].filter((prefix) => prefix !== '/')
}

/** Archives of TheRock in the home folder, as they are or in a folder `install`. */
function homeFolders(root: Sysroot, environment: NodeJS.ProcessEnv): string[] {
  const home = absolute(environment.HOME)
  if (home === null) return []
  return newest(root, home, UNPACKED).flatMap((folder) => [
    folder,
    join(folder, 'install'),
    ...newest(root, folder, UNPACKED),
  ])
}

function absolute(path: string | null | undefined): string | null {
  const text = path?.trim() ?? ''
  return text.startsWith('/') ? text.replace(/(.)\/+$/, '$1') : null
}

/** Paths of what a folder holds under such names, the highest number first. */
function newest(root: Sysroot, folder: string, pattern: RegExp): string[] {
  return root
    .list(folder)
    .filter((name) => pattern.test(name))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((name) => join(folder, name))
}
