import { basename, dirname, join } from 'node:path'
import type { RocmInstallation } from '../types.ts'
import { isElf, readElf } from './elf.ts'
import { type Library, Loader, MACHINES } from './loader.ts'
import { newest, systemPrefixes } from './rocm-folders.mjs'
import { rocmVersion } from './runtime.ts'
import { isFailure, type Sysroot } from './sysroot.ts'

const RUNTIME = /^libamdhip64\.so\.\d+$/
/** What a HIP module needs beside the runtime. */
const PARTS = ['librocblas', 'libhipblas']
const OLDEST = [6, 1] as const

/**
 * Every ROCm in this machine, whether the HIP module can use it or not, the one that the loader gives first.
 * @param module the HIP module, or null where there is none: then any ROCm from 6.1 on would do
 */
export function findInstallations(
  root: Sysroot,
  environment: NodeJS.ProcessEnv,
  arch: string,
  module: Library | null,
): RocmInstallation[] {
  const loader = new Loader(root, environment, arch)
  const wanted = module?.needed.find((name) => RUNTIME.test(name)) ?? null
  const given = givenRuntime(root, loader, module, wanted)
  const found = new Map<string, RocmInstallation>()
  for (const prefix of [...prefixes(root, environment, module), ...loader.folders.map(prefixOf)]) {
    const installation = examine(root, arch, prefix, wanted, given)
    if (installation === null) continue
    // Links such as /opt/rocm lead to the same files.
    const place = root.realpath(installation.runtime ?? prefix) ?? installation.runtime ?? prefix
    if (!found.has(place)) found.set(place, installation)
  }
  return [...found.values()].sort((a, b) => Number(b.chosen) - Number(a.chosen))
}

/** The runtime that the loader would give, without links. */
function givenRuntime(
  root: Sysroot,
  loader: Loader,
  module: Library | null,
  wanted: string | null,
): string | null {
  const by = module ?? { path: process.execPath, needed: [], rpath: [], runpath: [] }
  const names = wanted === null ? loader.versionsOf('libamdhip64').map((path) => basename(path)) : [wanted]
  const path = names.map((name) => loader.find(name, by)?.path).find((path) => path !== undefined)
  return path === undefined ? null : root.realpath(path)
}

/** Folders that a ROCm is installed to as a whole, with `lib` in them. */
function prefixes(root: Sysroot, environment: NodeJS.ProcessEnv, module: Library | null): string[] {
  const named = [environment.ROCM_PATH, environment.HIP_PATH].filter((path) => path?.startsWith('/'))
  const own = [...(module?.rpath ?? []), ...(module?.runpath ?? [])].filter((path) => path.startsWith('/'))
  return [
    ...named.map(String),
    ...own.map(prefixOf),
    ...systemPrefixes(root),
    ...wheels(root, environment),
    '/usr/local',
    '/usr',
  ]
}

/** ROCm in Python packages (`rocm-sdk-core` and its kin) of the environment that is active. */
function wheels(root: Sysroot, environment: NodeJS.ProcessEnv): string[] {
  return [environment.VIRTUAL_ENV, environment.CONDA_PREFIX].flatMap((prefix) =>
    !prefix?.startsWith('/')
      ? []
      : ['lib', 'lib64'].flatMap((lib) =>
          newest(root, join(prefix, lib), /^python3/).flatMap((python) =>
            newest(root, join(python, 'site-packages'), /^_rocm_sdk_(core|devel)$/),
          ),
        ),
  )
}

/** `/opt/rocm-7.0.2` of `/opt/rocm-7.0.2/lib`, `/usr` of `/usr/lib/x86_64-linux-gnu` and of `/lib64`; else the folder itself. */
function prefixOf(folder: string): string {
  const prefix = folder.replace(/\/lib(64)?(\/[\w-]+-linux-gnu)?\/?$/, '')
  return prefix === '' ? '/usr' : prefix
}

/** @returns null where there is no ROCm */
function examine(
  root: Sysroot,
  arch: string,
  prefix: string,
  wanted: string | null,
  given: string | null,
): RocmInstallation | null {
  const files = libraryFolders(root, prefix).flatMap((folder) =>
    root.list(folder).map((name) => join(folder, name)),
  )
  const runtimes = files.filter((path) => RUNTIME.test(basename(path)))
  const runtime = runtimes.find((path) => basename(path) === wanted) ?? runtimes.at(-1) ?? null
  const marked = root.exists(join(prefix, '.info/version'))
  if (runtime === null && !marked) return null
  const version = rocmVersion(root, runtime ?? join(prefix, 'lib', 'none'))
  const chosen = runtime !== null && given !== null && root.realpath(runtime) === given
  const problem =
    problemOfRuntime(root, arch, runtime, version, wanted) ??
    problemOfParts(files) ??
    (chosen ? null : describeOutOfSight(runtime, given))
  return { folder: prefix, version, runtime, chosen, usable: problem === null, problem }
}

/** Where an installation has its libraries; Python packages have those for computing in a folder beside the runtime's. */
function libraryFolders(root: Sysroot, prefix: string): string[] {
  const parent = dirname(prefix)
  const siblings = basename(prefix).startsWith('_rocm_sdk_')
    ? newest(root, parent, /^_rocm_sdk_libraries/)
    : []
  const multiarch = newest(root, join(prefix, 'lib'), /^[\w-]+-linux-gnu$/)
  const all = [prefix, ...siblings].flatMap((folder) => [join(folder, 'lib'), join(folder, 'lib64')])
  // A folder without `lib` in it can be named by LD_LIBRARY_PATH.
  return [...new Map([prefix, ...all, ...multiarch].map((path) => [root.realpath(path), path])).values()]
}

function problemOfRuntime(
  root: Sysroot,
  arch: string,
  runtime: string | null,
  version: string | null,
  wanted: string | null,
): string | null {
  if (runtime === null) return 'it has no HIP runtime (libamdhip64)'
  const name = basename(runtime)
  if (!root.exists(runtime)) return `${name} is a link to nothing`
  const damage = damageOf(root, arch, runtime)
  if (damage !== null) return `${name} ${damage}`
  const [major = 0, minor = 0] = version?.split('.').map(Number) ?? []
  const isOld = version !== null && (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
  if (isOld) return `it is older than ROCm ${OLDEST.join('.')}`
  if (wanted !== null && name !== wanted) return `it has ${name}, and the HIP module needs ${wanted}`
  return null
}

function damageOf(root: Sysroot, arch: string, path: string): string | null {
  const file = root.open(path)
  if (isFailure(file)) return `cannot be read (${file.errno})`
  try {
    if (root.isMade && file.size === 0) return null // it stands for a library, see Sysroot
    const elf = readElf(file)
    if (elf === null) return isElf(file) ? 'is damaged' : 'is not a shared library'
    return elf.machine === MACHINES[arch] ? null : `is not for this processor (${arch})`
  } finally {
    file.close()
  }
}

function problemOfParts(files: readonly string[]): string | null {
  const missing = PARTS.filter((part) => !files.some((path) => basename(path).startsWith(`${part}.so`)))
  return missing.length === 0 ? null : `it has no ${missing.join(' and no ')}`
}

function describeOutOfSight(runtime: string | null, given: string | null): string {
  return given === null
    ? `the loader does not look in ${dirname(runtime ?? '')}`
    : `the loader takes ${given} instead`
}
