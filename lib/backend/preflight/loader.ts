import { dirname, join, normalize, resolve } from 'node:path'
import { readElf } from './elf.ts'
import { isFailure } from './failure.ts'
import { type Damage, damageOf } from './library-damage.ts'
import { LoaderCache } from './loader-cache.ts'
import type { Sysroot } from './sysroot.ts'

/** A library as the loader sees it when it looks for what it needs. */
export interface Library {
  path: string
  needed: readonly string[]
  /** Folders in which its own needs are looked for before and after `LD_LIBRARY_PATH`. */
  rpath: readonly string[]
  runpath: readonly string[]
}

/** A file that the loader does not take although it has the name that is looked for. */
export interface BadFile {
  path: string
  /** Follows the path in a sentence. */
  problem: string
}

/** How the loader's search for a library ends. */
export interface Search {
  library: Library | null
  /** Where there is none: the file at which the loader gives up, else those that it passed over. */
  bad: readonly BadFile[]
}

/** `e_machine` of ELF, by the name that Node gives the processor. */
export const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 }
const MULTIARCH: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }
const MOST_CONFIGURATION_FILES = 200

/** Finds shared libraries where glibc's dynamic loader would (ld.so(8)), without loading anything. */
export class Loader {
  readonly #root: Sysroot
  readonly #arch: string
  /** Folders of `LD_LIBRARY_PATH`. */
  readonly libraryPath: readonly string[]
  readonly #preloaded: readonly string[]
  readonly #cache: LoaderCache | null
  #configured: readonly string[] | undefined
  /** Names in the folders that were listed, by their real path: some are links to others. */
  readonly #listed = new Map<string, readonly string[]>()
  /** Folders that are links to nothing, or lie in one; null for the others. */
  readonly #dead = new Map<string, ReturnType<Sysroot['deadLink']>>()

  constructor(root: Sysroot, environment: NodeJS.ProcessEnv, arch: string) {
    this.#root = root
    this.#arch = arch
    const started = startEnvironment(root, environment)
    this.libraryPath = splitFolders(started.LD_LIBRARY_PATH ?? '')
    this.#preloaded = (started.LD_PRELOAD ?? '').split(/[ :]+/).filter((path) => path.includes('/'))
    this.#cache = LoaderCache.read(root, arch)
  }

  /** Folders that are searched for every library, in order. Without a cache those of `/etc/ld.so.conf` stand for it. */
  get folders(): string[] {
    const configured = this.#cache === null ? this.configuredFolders : []
    return [...this.libraryPath, ...configured, ...this.#defaultFolders]
  }

  /** Folders that `/etc/ld.so.conf` names, from which `ldconfig` makes the cache. */
  get configuredFolders(): readonly string[] {
    this.#configured ??= readConfiguration(this.#root, '/etc/ld.so.conf', new Set())
    return this.#configured
  }

  get #defaultFolders(): string[] {
    const multiarch = MULTIARCH[this.#arch]
    const special = multiarch === undefined ? [] : [`/lib/${multiarch}`, `/usr/lib/${multiarch}`]
    return [...special, '/lib64', '/usr/lib64', '/lib', '/usr/lib']
  }

  /**
   * @param name what a library needs, e.g. `libamdhip64.so.6`
   * @param by the library that needs it
   * @returns the file that the loader would take, or null
   */
  find(name: string, by: Library): Library | null {
    return this.search(name, by).library
  }

  /** As {@link find}, and keeps what was in the way. */
  search(name: string, by: Library): Search {
    const bad = new Map<string, BadFile>()
    for (const path of this.#places(name, by)) {
      const found = this.inspect(path)
      if (found === null) continue
      if ('needed' in found) return { library: found, bad: [...bad.values()] }
      // The last word is the one that the loader gives up with.
      if (found.stops) return { library: null, bad: [found] }
      bad.set(path, found)
    }
    return { library: null, bad: [...bad.values()] }
  }

  /** Where the loader looks, in order. */
  *#places(name: string, by: Library): Generator<string> {
    if (name.includes('/')) return yield name
    const origin = dirname(by.path)
    const own = (folders: readonly string[]) => folders.map((folder) => join(expand(folder, origin), name))
    const inFolders = (folders: readonly string[]) => folders.map((folder) => join(folder, name))
    const preloaded = this.#preloaded.find((path) => path.endsWith(`/${name}`))
    if (preloaded !== undefined) yield preloaded
    if (by.runpath.length === 0) yield* own(by.rpath)
    yield* inFolders(this.libraryPath)
    yield* own(by.runpath)
    const cached = (this.#cache?.startingWith(name) ?? []).filter((entry) => entry.name === name)
    yield* inFolders(cached.map(({ path }) => dirname(path)))
    yield* inFolders(this.folders)
  }

  /** A file as the loader sees it: a library, or what is wrong with it and whether the loader gives up there; null when nothing is there. */
  inspect(path: string): Library | (BadFile & Damage) | null {
    const bad = (problem: string, stops: boolean) => ({ path, problem, stops })
    const stat = this.#root.stat(path)
    if (stat === null) return this.#whyAbsent(path)
    if (stat.kind === 'folder') return bad('is a folder', true)
    if (stat.kind !== 'file') return bad('is not a file', true)
    const file = this.#root.open(path)
    if (isFailure(file)) {
      if (file.errno === 'ENOENT') return null
      const denied = file.errno === 'EACCES'
      return bad(
        denied ? 'may not be read by this process (EACCES)' : `cannot be read (${file.errno})`,
        !denied,
      )
    }
    try {
      if (this.#root.standsIn(path)) return { path, needed: [], rpath: [], runpath: [] }
      const damage = damageOf(file, MACHINES[this.#arch])
      if (damage !== null) return { path, ...damage }
      const elf = readElf(file)
      return elf === null ? bad('is damaged', true) : { path, ...elf }
    } finally {
      file.close()
    }
  }

  /** A link to nothing, or a folder that is one. */
  #whyAbsent(path: string): (BadFile & Damage) | null {
    const dead = this.#root.link(path) === null ? this.#deadFolder(dirname(path)) : this.#root.deadLink(path)
    if (dead === null) return null
    const { link, target } = dead
    const where = target === link ? 'itself' : `${target}, which does not exist`
    const problem = link === path ? `is a link to ${where}` : `is not there: ${link} is a link to ${where}`
    return { path, problem, stops: false }
  }

  #deadFolder(folder: string) {
    const known = this.#dead.get(folder)
    if (known !== undefined) return known
    const dead = this.#root.deadLink(folder)
    this.#dead.set(folder, dead)
    return dead
  }

  /**
   * Every file that the loader knows with a name such as `libamdhip64.so.7`, for any number at the end, once.
   * @param moreFolders where to look beside the loader's own folders
   */
  versionsOf(stem: string, moreFolders: readonly string[] = []): string[] {
    const isVersion = (name: string) =>
      name.startsWith(`${stem}.so.`) && /^\d+$/.test(name.slice(stem.length + 4))
    const cached = (this.#cache?.startingWith(`${stem}.so.`) ?? []).flatMap(({ name, path }) =>
      isVersion(name) ? [path] : [],
    )
    const listed = [...this.folders, ...moreFolders].flatMap((folder) =>
      this.#list(folder).flatMap((name) => (isVersion(name) ? [join(folder, name)] : [])),
    )
    const byPlace = new Map<string, string>()
    for (const path of [...cached, ...listed]) {
      const real = this.#root.realpath(path)
      if (real !== null && !byPlace.has(real)) byPlace.set(real, path)
    }
    return [...byPlace.values()]
  }

  #list(folder: string): readonly string[] {
    const real = this.#root.realpath(folder)
    if (real === null) return []
    const names = this.#listed.get(real) ?? this.#root.list(real)
    this.#listed.set(real, names)
    return names
  }
}

/**
 * The variables as the process was started with: the loader reads them then, and does not see what the program sets later.
 */
function startEnvironment(root: Sysroot, environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const bytes = root.read('/proc/self/environ', 4 << 20)
  if (isFailure(bytes) || bytes.length === 0) return environment
  const entries = bytes.toString('utf8').split('\0')
  return Object.fromEntries(
    entries.map((entry) => {
      const end = entry.indexOf('=')
      return [entry.slice(0, Math.max(0, end)), entry.slice(end + 1)]
    }),
  )
}

/** An empty entry is the working folder. */
function splitFolders(list: string): string[] {
  return list === '' ? [] : list.split(/[:;]/).map((folder) => folder || '.')
}

function expand(folder: string, origin: string): string {
  return normalize(folder.replace(/\$(ORIGIN\b|\{ORIGIN\})/g, origin).replace(/\$(LIB\b|\{LIB\})/g, 'lib64'))
}

/** Folders in a file of `ld.so.conf`'s format, with those in the files that it includes. */
function readConfiguration(root: Sysroot, path: string, seen: Set<string>): string[] {
  if (seen.has(path) || seen.size > MOST_CONFIGURATION_FILES) return []
  seen.add(path)
  return (root.text(path) ?? '').split('\n').flatMap((line) => {
    const text = line.replace(/#.*/, '').trim()
    const [, pattern] = /^include\s+(\S+)$/.exec(text) ?? []
    if (pattern !== undefined)
      return included(root, path, pattern).flatMap((file) => readConfiguration(root, file, seen))
    return text.startsWith('/') ? [text] : []
  })
}

/** Files that match a pattern with `*` in its last part. */
function included(root: Sysroot, from: string, pattern: string): string[] {
  const folder = resolve(dirname(from), dirname(pattern))
  const [before = '', after] = (pattern.split('/').pop() ?? '').split('*')
  if (after === undefined) return [join(folder, before)]
  return root
    .list(folder)
    .filter((name) => name.startsWith(before) && name.endsWith(after))
    .map((name) => join(folder, name))
}
