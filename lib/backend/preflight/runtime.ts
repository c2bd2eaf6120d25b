import { basename, dirname, join } from 'node:path'
import { readSymbols } from './elf.ts'
import { isFailure } from './failure.ts'
import { type BadFile, type Library, Loader } from './loader.ts'
import { candidateFolders } from './rocm-folders.mjs'
import type { Sysroot } from './sysroot.ts'

/** A library that the loader would not find. */
export interface MissingLibrary {
  soname: string
  /** Path of the library that needs it. */
  neededBy: string
  /** Where the same file is, out of the loader's sight; null when it is nowhere. */
  elsewhere: string | null
  /** Files of the same library with another number. */
  otherVersions: readonly string[]
}

/** A library that is there and cannot be loaded. */
export interface DamagedLibrary {
  soname: string
  neededBy: string
  path: string
  /** Follows the path in a sentence. */
  problem: string
  /** A sound file of the same name, out of the loader's sight; null when it is nowhere. */
  elsewhere: string | null
}

/** Two parts of ROCm that do not fit each other. */
export type Mixture =
  | { kind: 'two versions'; soname: string; path: string; otherSoname: string; neededBy: string }
  | { kind: 'missing symbol'; path: string; symbol: string; providers: readonly string[] }

/** The libraries of ROCm that a HIP module would be given. */
export interface Runtime {
  /** Of the libraries at hand, e.g. `6.4.1`; null when they do not tell. */
  version: string | null
  /** What the loader finds, by the names that ask for it. */
  libraries: readonly { soname: string; path: string }[]
  /** What the module itself needs of ROCm. */
  wanted: readonly string[]
  missing: readonly MissingLibrary[]
  damaged: readonly DamagedLibrary[]
  mixture: Mixture | null
  /** Folders of `LD_LIBRARY_PATH`. */
  libraryPath: readonly string[]
  /** `/etc/ld.so.conf` names folders that the loader's cache does not know yet. */
  cacheIsOld: boolean
}

/**
 * Libraries that are loaded before a HIP module: those of every Node process, and ggml's core, which the addon needs too. A module in a package of
 * its own has no core beside it.
 */
const ALREADY_LOADED =
  /^(ld-linux[-\w]*|linux-vdso|lib(c|m|dl|pthread|rt|util|gcc_s|stdc\+\+|atomic|ggml-base(-whisper-hip-\d[\w.-]*)?))\.so(\.\d+)?$/
const ROCM_LIBRARY =
  /^(lib(?:amdhip64|rocblas|hipblas|hipblaslt|rocsolver|hsa-runtime64|amd_comgr|rocdxg))\.so\.\d+$/
const MOST_LIBRARIES = 300

/**
 * Follows what a HIP module needs, and what that needs, as the dynamic loader would.
 * @param module the HIP module; its own folder is searched through its `$ORIGIN`
 * @param built folder of the ROCm that it was compiled with, or null
 */
export function findRuntime(
  root: Sysroot,
  environment: NodeJS.ProcessEnv,
  arch: string,
  module: Library,
  built: string | null = null,
): Runtime {
  const loader = new Loader(root, environment, arch)
  const found = new Map<string, Library>()
  const neededBy = new Map<string, Library>()
  const absent: Absent[] = []
  const queue: Library[] = [module]
  for (let library = queue.shift(); library !== undefined; library = queue.shift()) {
    for (const soname of library.needed) {
      if (neededBy.has(soname) || ALREADY_LOADED.test(soname) || found.size >= MOST_LIBRARIES) continue
      neededBy.set(soname, library)
      const { library: next, bad } = loader.search(soname, library)
      if (next === null) absent.push({ soname, by: library, bad })
      else {
        found.set(soname, next)
        queue.push(next)
      }
    }
  }

  const candidates = byContent(root, candidateFolders(root, environment, built), absent)
  const all = absent.map((library) => describeAbsent(loader, candidates, library))
  const hip = [...found].find(([soname]) => soname.startsWith('libamdhip64.'))?.[1]
  return {
    version: hip === undefined ? null : rocmVersion(root, hip.path),
    libraries: [...found].map(([soname, { path }]) => ({ soname, path })),
    wanted: module.needed.filter((soname) => ROCM_LIBRARY.test(soname)),
    missing: all.filter((library) => !isDamaged(library)) as MissingLibrary[],
    damaged: all.filter(isDamaged),
    mixture: twoVersions(found, neededBy) ?? missingSymbol(root, found),
    libraryPath: loader.libraryPath,
    cacheIsOld: absent.some(({ soname }) =>
      loader.configuredFolders.some((folder) => root.exists(join(folder, soname))),
    ),
  }
}

/**
 * Where a library is that is loaded at run time, by one of these names: on the loader's path, or where ROCm is installed to.
 */
export function findAnywhere(
  root: Sysroot,
  environment: NodeJS.ProcessEnv,
  arch: string,
  names: readonly string[],
): string | null {
  const loader = new Loader(root, environment, arch)
  const program: Library = { path: process.execPath, needed: names, rpath: [], runpath: [] }
  const onPath = names.flatMap((name) => loader.find(name, program)?.path ?? [])
  const elsewhere = candidateFolders(root, environment).flatMap((folder) =>
    names.map((name) => join(folder, name)).filter((path) => root.exists(path)),
  )
  return [...onPath, ...elsewhere][0] ?? null
}

/** The version file of the installation that a library is part of, else the numbers in its full name. */
export function rocmVersion(root: Sysroot, path: string): string | null {
  const real = root.realpath(path) ?? path
  for (const place of [real, path]) {
    const version = root.line(join(dirname(dirname(place)), '.info', 'version'))
    const number = /^\d+\.\d+(\.\d+)?/.exec(version ?? '')?.[0]
    if (number !== undefined) return number
  }
  return /\.so\.(\d+\.\d+)\.\d+$/.exec(real)?.[1] ?? null
}

/** What the loader did not give. */
interface Absent {
  soname: string
  by: Library
  bad: readonly BadFile[]
}

/** Folders that have most of what is missing first: one folder is easier to show to the loader than two. */
function byContent(root: Sysroot, folders: readonly string[], absent: readonly Absent[]): string[] {
  const count = (folder: string) => absent.filter(({ soname }) => root.exists(join(folder, soname))).length
  const counts = new Map(folders.map((folder) => [folder, count(folder)]))
  return [...folders].sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0))
}

/** Damaged is what the loader met, and else what lies where ROCm is installed to. */
function describeAbsent(
  loader: Loader,
  candidates: readonly string[],
  { soname, by, bad }: Absent,
): MissingLibrary | DamagedLibrary {
  const places = [...candidates, ...loader.configuredFolders].map((folder) => join(folder, soname))
  const found = places.flatMap((path) => loader.inspect(path) ?? [])
  const elsewhere = found.find((file) => !('problem' in file))?.path ?? null
  const damaged = bad[0] ?? (elsewhere === null ? found.find((file) => 'problem' in file) : undefined)
  const library = { soname, neededBy: by.path, elsewhere }
  if (damaged !== undefined) return { ...library, path: damaged.path, problem: damaged.problem }
  const stem = soname.replace(/\.so\..*$/, '')
  const versions = ROCM_LIBRARY.test(soname) ? loader.versionsOf(stem, candidates) : []
  return { ...library, otherVersions: versions.filter((path) => basename(path) !== soname) }
}

function isDamaged(library: MissingLibrary | DamagedLibrary): library is DamagedLibrary {
  return 'problem' in library
}

/** A library in two versions: one part of ROCm was made for another release than the rest. */
function twoVersions(
  found: ReadonlyMap<string, Library>,
  neededBy: ReadonlyMap<string, Library>,
): Mixture | null {
  const first = new Map<string, string>()
  for (const soname of found.keys()) {
    const stem = ROCM_LIBRARY.exec(soname)?.[1]
    const other = stem === undefined ? undefined : first.get(stem)
    if (stem === undefined) continue
    if (other === undefined) first.set(stem, soname)
    else
      return {
        kind: 'two versions',
        soname: other,
        path: found.get(other)?.path ?? other,
        otherSoname: soname,
        neededBy: neededBy.get(soname)?.path ?? soname,
      }
  }
  return null
}

/**
 * Libraries of two installations can have the same names and yet not fit: one asks for a function that the other does not
 * have. Looked for only where libraries of ROCm come from several folders.
 */
function missingSymbol(root: Sysroot, found: ReadonlyMap<string, Library>): Mixture | null {
  const rocm = [...found].filter(([soname]) => ROCM_LIBRARY.test(soname)).map(([, library]) => library)
  const folders = new Set(rocm.map(({ path }) => dirname(root.realpath(path) ?? path)))
  if (folders.size < 2) return null
  const symbols = rocm.flatMap(({ path }) => {
    const file = root.open(path)
    if (isFailure(file)) return []
    try {
      const names = readSymbols(file)
      return names === null ? [] : [{ path, names }]
    } finally {
      file.close()
    }
  })
  for (const { path, names } of symbols) {
    for (const { pattern, stem } of PROVIDERS) {
      const providers = symbols.filter((other) => basename(other.path).startsWith(`${stem}.so`))
      if (providers.length === 0) continue
      const symbol = names.undefined.find(
        (name) => pattern.test(name) && !providers.some((other) => other.names.defined.has(name)),
      )
      if (symbol !== undefined)
        return { kind: 'missing symbol', path, symbol, providers: providers.map((other) => other.path) }
    }
  }
  return null
}

/** Which library has the functions with such names. */
const PROVIDERS = [
  { pattern: /^hsa_/, stem: 'libhsa-runtime64' },
  { pattern: /^hip[A-Z]/, stem: 'libamdhip64' },
  { pattern: /^rocblas_/, stem: 'librocblas' },
]
