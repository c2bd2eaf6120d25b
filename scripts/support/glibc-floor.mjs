// @ts-check
/**
 * Makes a C library to link with that has nothing newer than an old release of glibc has, so that what is linked with it runs
 * on systems with that release. It is made from the glibc of this machine: a newer one still has all old versions of its
 * functions, and the linker takes a new version only because it is the default one.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { start } from './programs.mjs'
import { BuildError } from './script.mjs'

/** Debian 10, Ubuntu 18.10, RHEL 8, Amazon Linux 2023 and SLES 15 have it or a newer one. */
export const GLIBC_FLOOR = '2.28'

const SHIMS = join(dirname(fileURLToPath(import.meta.url)), 'glibc-floor', 'shims.c')
/** The parts of shims.c. Each becomes a member of the archive: the linker takes those that it needs. */
const SHIM_PARTS = ['ENDS', 'THREADS', 'FILES', 'CLOCKS', 'SYSTEM', 'NUMBERS', 'START']

/** Functions that glibc 2.34 moved into libc.so.6, and where those that need an older one look for them. */
const FORMER_LIBRARIES = /** @type {const} */ ([
  ['libdl.so.2', /^dl/],
  ['libpthread.so.0', /^_{0,2}(pthread_|sem_)/],
  ['librt.so.1', /^(aio_|lio_|mq_|shm_|timer_)/],
])

/**
 * @typedef {{ name: string, version: string, isDefault: boolean, kind: 'function' | 'object', size: number }} Symbol
 */

/** @param {string} a @param {string} b @returns {boolean} whether version `a` is newer than `b` */
export function isNewer(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number))
  for (let i = 0; i < 3; i++) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return false
}

/**
 * What a library of glibc offers, by `readelf --wide --dyn-syms`.
 * @param {string} listing
 * @returns {Symbol[]}
 */
export function readSymbols(listing) {
  const line =
    /^\s*\d+: [0-9a-f]+ +(\d+|0x[0-9a-f]+) +(FUNC|IFUNC|OBJECT|NOTYPE) +(?:GLOBAL|WEAK) +DEFAULT +(?!UND)\w+ ([^@\s]+)(@@?)GLIBC_(\d[\d.]*)$/gm
  return [...listing.matchAll(line)].map(([, size, type, name = '', mark, version = '']) => ({
    name,
    version,
    isDefault: mark === '@@',
    kind: type === 'OBJECT' ? 'object' : 'function',
    size: Number(size),
  }))
}

/**
 * What of a library was there in an old glibc, and in which library that was.
 * @param {string} library its SONAME now
 * @param {Symbol[]} symbols
 * @param {string} floor
 * @returns {Map<string, Symbol[]>} by SONAME; one version for each name
 */
export function symbolsAtFloor(library, symbols, floor) {
  const later = new Set(
    symbols.filter(({ isDefault, version }) => isDefault && isNewer(version, floor)).map(({ name }) => name),
  )
  /** @type {Map<string, Symbol>} */
  const newest = new Map()
  for (const symbol of symbols) {
    if (isNewer(symbol.version, floor)) continue
    const known = newest.get(symbol.name)
    if (known === undefined || isNewer(symbol.version, known.version)) newest.set(symbol.name, symbol)
  }
  /** @param {string} name */
  const homeOf = (name) => {
    if (library !== 'libc.so.6' || !later.has(name)) return library
    return FORMER_LIBRARIES.find(([, names]) => names.test(name))?.[0] ?? library
  }
  /** @type {Map<string, Symbol[]>} */
  const result = new Map([[library, []]])
  for (const [name, symbol] of newest) {
    const home = homeOf(name)
    result.set(home, [...(result.get(home) ?? []), symbol])
  }
  return result
}

/**
 * The sources of a library that has these symbols and does nothing.
 * @param {Symbol[]} symbols
 */
export function stubSources(symbols) {
  const sorted = [...symbols].sort((a, b) => (a.name < b.name ? -1 : 1))
  const versions = [...new Set(sorted.map(({ version }) => version))].sort((a, b) => (isNewer(a, b) ? 1 : -1))
  const assembly = sorted.flatMap(({ name, version, kind, size }, index) => [
    `${kind === 'object' ? '.bss' : '.text'}`,
    `.globl s${index}`,
    `.type s${index}, %${kind}`,
    `s${index}: .skip ${Math.max(1, size)}`,
    `.size s${index}, ${Math.max(1, size)}`,
    `.symver s${index}, ${name}@@@GLIBC_${version}`,
  ])
  const script = versions.map((version) => `GLIBC_${version} { };`)
  return { assembly: `${assembly.join('\n')}\n`, script: `${script.join('\n')}\n` }
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} folder
 */
async function must(program, args, folder) {
  try {
    return (await start(program, args, folder)).stdout
  } catch (error) {
    const { stderr, message } = /** @type {Error & { stderr?: string }} */ (error)
    throw new BuildError(
      `The C library to link with cannot be made: ${stderr?.trim().split('\n')[0] || message}`,
    )
  }
}

function cacheFolder() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'whisper-hip')
}

/**
 * The folder of a C library to link with, made if it is not there.
 * @param {object} [wish]
 * @param {string} [wish.floor]
 * @param {string} [wish.compiler] a C compiler of the machine to link for
 * @param {string} [wish.cache]
 * @returns {Promise<string>}
 */
export async function glibcFloor({ floor = GLIBC_FLOOR, compiler = 'cc', cache = cacheFolder() } = {}) {
  /** @param {string} name */
  const find = async (name) => (await must(compiler, [`-print-file-name=${name}`], '/')).trim()
  const libraries = await Promise.all(['libc.so.6', 'libm.so.6'].map(find))
  const loader = (await must(compiler, ['-dumpmachine'], '/')).startsWith('aarch64')
    ? 'ld-linux-aarch64.so.1'
    : 'ld-linux-x86-64.so.2'
  const loaderPath = await find(loader)
  const inputs = [...libraries, loaderPath]
  const missing = inputs.find((path) => !existsSync(path))
  if (missing) throw new BuildError(`${compiler} finds no ${missing}: is this a system with glibc?`)

  const recipe = createHash('sha256').update(JSON.stringify([floor, compiler]))
  for (const path of [fileURLToPath(import.meta.url), SHIMS, ...inputs]) recipe.update(readFileSync(path))
  const folder = join(cache, `glibc-${floor}-${recipe.digest('hex').slice(0, 12)}`)
  if (existsSync(folder)) return folder

  const unfinished = `${folder}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  try {
    /** @type {Map<string, Symbol[]>} */
    const stubs = new Map()
    for (const [index, path] of inputs.entries()) {
      const soname = ['libc.so.6', 'libm.so.6', loader][index] ?? ''
      const listing = await must('readelf', ['--wide', '--dyn-syms', path], unfinished)
      for (const [name, symbols] of symbolsAtFloor(soname, readSymbols(listing), floor))
        stubs.set(name, [...(stubs.get(name) ?? []), ...symbols])
    }
    for (const [soname, symbols] of stubs) await makeStub(unfinished, compiler, soname, symbols)
    await makeShims(unfinished, compiler)
    writeLinkerNames(unfinished, [...stubs.keys()], loader)
    renameSync(unfinished, folder)
  } catch (error) {
    // Another process may have been faster.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOTEMPTY') throw error
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return folder
}

/** @param {string} folder @param {string} compiler @param {string} soname @param {Symbol[]} symbols */
async function makeStub(folder, compiler, soname, symbols) {
  const { assembly, script } = stubSources(symbols)
  writeFileSync(join(folder, 'stub.s'), assembly)
  writeFileSync(join(folder, 'stub.map'), script)
  const flags = [
    '-shared',
    '-nostdlib',
    '-Wl,-z,noexecstack',
    `-Wl,-soname,${soname}`,
    '-Wl,--version-script=stub.map',
  ]
  await must(compiler, [...flags, '-o', soname, 'stub.s'], folder)
  for (const name of ['stub.s', 'stub.map']) rmSync(join(folder, name))
}

/** @param {string} folder @param {string} compiler */
async function makeShims(folder, compiler) {
  const objects = []
  for (const part of SHIM_PARTS) {
    const object = `${part.toLowerCase()}.o`
    const flags = [
      '-O2',
      '-fPIC',
      '-fno-builtin',
      '-U_FORTIFY_SOURCE',
      '-ffile-prefix-map=/=',
      `-DFLOOR_${part}`,
    ]
    await must(compiler, ['-c', ...flags, '-o', object, SHIMS], folder)
    objects.push(object)
  }
  await must('ar', ['rcsD', 'libfloor.a', ...objects], folder)
  for (const object of objects) rmSync(join(folder, object))
}

/**
 * The names by which a linker looks for libraries; it finds what they name in the same folder.
 * @param {string} folder
 * @param {string[]} sonames
 * @param {string} loader
 */
function writeLinkerNames(folder, sonames, loader) {
  const former = sonames.filter((name) => FORMER_LIBRARIES.some(([soname]) => soname === name))
  const parts = [...former, loader].map((name) => `-l:${name}`).join(' ')
  writeFileSync(join(folder, 'libc.so'), `GROUP ( -l:libc.so.6 -l:libfloor.a AS_NEEDED ( ${parts} ) )\n`)
  for (const soname of sonames) {
    const name = soname.replace(/\.so\..*$/, '.so')
    if (name !== 'libc.so' && soname !== loader)
      writeFileSync(join(folder, name), `GROUP ( AS_NEEDED ( -l:${soname} ) )\n`)
  }
}

/**
 * Flags with which the linker of a compiler takes this C library, and the compiler's C++ library as an archive. Exceptions pass
 * from one library to another by libgcc_s.so.1, which therefore stays shared.
 * @param {string} folder of `glibcFloor()`
 */
export const floorFlags = (folder) => [
  '-static-libstdc++',
  `-L${folder}`,
  '-Wl,--gc-sections', // of the C++ library, of which each function has a section
  '-Wl,--wrap=__libc_start_main',
  '-Wl,--allow-shlib-undefined', // libgcc_s.so.1 of this machine may want what this library does not have
]
