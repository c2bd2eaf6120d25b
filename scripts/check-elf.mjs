#!/usr/bin/env node
// @ts-check
/**
 * Checks the native outputs in a folder: `node scripts/check-elf.mjs [FOLDER…]` (default: what is built here).
 * They must find their libraries beside them and nowhere else, need nothing unexpected, show nothing but their entry
 * points, keep the usual hardening, and name no path of the machine that built them. Where the build report names the oldest glibc
 * that they run with, they must need nothing of a newer one, and no C++ library. Reads with binutils' readelf.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { isNewer } from './support/glibc-floor.mjs'
import { packageRoot } from './support/package.mjs'
import { BUILD_REPORT_FILE } from './support/report.mjs'
import { isMain } from './support/script.mjs'

/** What every Linux with glibc has beside Node. */
const SYSTEM =
  /^(libstdc\+\+\.so\.6|libgcc_s\.so\.1|libm\.so\.6|libc\.so\.6|libpthread\.so\.0|libdl\.so\.2|ld-linux-.*\.so\.\d)$/
/** The HIP module also needs the ROCm runtime of the machine that it runs on. */
const ROCM = /^(libamdhip64|libhipblas|librocblas)\.so\.\d+$/
const OWN = /^libggml-base-whisper-hip-\d+\.\d+\.\d+(-[\w.]+)?\.so$/

/** Of the 1664 bytes that glibc keeps for the thread-local data of all libraries that are loaded at run time. */
const THREAD_LOCAL_BYTES = 256

const ADDON_EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1']
const MODULE_EXPORTS = ['ggml_backend_init', 'ggml_backend_score', 'whisper_hip_use_kernels']
const PROGRAM = 'whisper-hip-trial'

/**
 * @param {string} path
 * @param {string[]} forbiddenPaths folders that must not occur in the file
 * @param {string} [glibc] the oldest one that it has to run with
 * @returns {string[]} one sentence per problem
 */
export function checkFile(path, forbiddenPaths, glibc) {
  const { status, stdout, stderr, error } = spawnSync(
    'readelf',
    ['--wide', '--dynamic', '--segments', '--dyn-syms', path],
    {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  if (error) throw new Error(`readelf cannot be run (${error.message}); it is part of the package binutils`)
  if (status !== 0 || !stdout.includes('Dynamic section'))
    return [`is not a shared library (${stderr.trim() || 'no dynamic section'})`]
  return [
    ...checkDependencies(basename(path), stdout),
    ...checkExports(basename(path), stdout),
    ...checkHardening(stdout),
    ...checkThreadLocalData(stdout),
    ...(glibc === undefined ? [] : checkVersions(stdout, glibc)),
    ...checkPaths(readFileSync(path), forbiddenPaths),
  ]
}

/** @param {string} name @param {string} elf */
function checkDependencies(name, elf) {
  /** @type {string[]} */
  const problems = []
  const runpaths = [...elf.matchAll(/\((RPATH|RUNPATH)\).*\[(.*)\]/g)]
  // A HIP module that is built here remembers a ROCm that the loader does not find.
  const allowed = name === 'libggml-hip.so' ? /^\$ORIGIN(:\/|$)/ : /^\$ORIGIN$/
  if (!runpaths.some(([, kind, value = '']) => kind === 'RUNPATH' && allowed.test(value)))
    problems.push('has no RUNPATH $ORIGIN')
  for (const [, kind, value = ''] of runpaths)
    if (kind === 'RPATH' || !allowed.test(value)) problems.push(`has the ${kind} ${value}`)
  for (const [, needed = ''] of elf.matchAll(/\(NEEDED\).*\[(.*)\]/g))
    if (!SYSTEM.test(needed) && !OWN.test(needed) && !(name === 'libggml-hip.so' && ROCM.test(needed)))
      problems.push(`needs ${needed}`)
  const soname = elf.match(/\(SONAME\).*\[(.*)\]/)?.[1]
  if (OWN.test(name) && soname !== name) problems.push(`has the SONAME ${soname}`)
  return problems
}

/** @param {string} name @param {string} elf */
function checkExports(name, elf) {
  if (OWN.test(name)) return []
  const allowed = name === PROGRAM ? [] : name.endsWith('.node') ? ADDON_EXPORTS : MODULE_EXPORTS
  const symbols = [
    ...elf.matchAll(/^\s*\d+: [0-9a-f]+ +\S+ +\w+ +(?:GLOBAL|WEAK|UNIQUE) +DEFAULT +(?!UND)\S+ (\S+)$/gm),
  ]
  const extra = symbols.map(([, symbol = '']) => symbol).filter((symbol) => !allowed.includes(symbol))
  const shown = extra.slice(0, 5).join(', ')
  return extra.length > 0 ? [`exports ${extra.length} symbols beside its entry points (${shown})`] : []
}

/** @param {string} elf */
function checkHardening(elf) {
  const segment = /** @param {string} type */ (type) => elf.match(new RegExp(`^ *${type} .*$`, 'm'))?.[0]
  const stack = segment('GNU_STACK')
  /** @type {string[]} */
  const problems = []
  if (!stack || / RWE /.test(stack)) problems.push('has an executable stack')
  if (!segment('GNU_RELRO')) problems.push('has no RELRO segment')
  if (!/\((FLAGS|FLAGS_1)\).*\b(BIND_NOW|NOW)\b/.test(elf)) problems.push('binds symbols lazily (no NOW)')
  if (/\(TEXTREL\)/.test(elf) || /\(FLAGS\).*\bTEXTREL\b/.test(elf)) problems.push('has text relocations')
  return problems
}

/**
 * What has no version is looked for under its name alone: there, too, only Node, ggml and what may be missing can be meant.
 * @param {string} elf
 * @param {string} glibc
 */
function checkVersions(elf, glibc) {
  const wanted = [...elf.matchAll(/^\s*\d+: [0-9a-f]+ +\S+ +\w+ +(GLOBAL|WEAK) +DEFAULT +UND (\S+)/gm)]
  const problems = wanted.flatMap(([, binding, symbol = '']) => {
    const [name = '', version] = symbol.split('@')
    if (version === undefined)
      return binding === 'WEAK' || /^(napi_|node_api_|ggml_|gguf_|quantize_|hipblas)/.test(name) ? [] : [name]
    const [, release] = version.match(/^GLIBC_([\d.]+)$/) ?? []
    const isOfNewer = release !== undefined && isNewer(release, glibc)
    return isOfNewer || /^(GLIBCXX|CXXABI)_/.test(version) ? [symbol] : []
  })
  const shown = problems.slice(0, 5).join(', ')
  return problems.length > 0 ? [`needs more than glibc ${glibc} has (${shown})`] : []
}

/** A module with more is refused by the loader: "cannot allocate memory in static TLS block". @param {string} elf */
function checkThreadLocalData(elf) {
  // TLS offset, addresses, size in the file, size in memory
  const size = Number(elf.match(/^ *TLS +(?:0x[0-9a-f]+ +){4}(0x[0-9a-f]+)/m)?.[1] ?? 0)
  return size > THREAD_LOCAL_BYTES ? [`has ${size} bytes of thread-local data`] : []
}

/** @param {Buffer} bytes @param {string[]} forbiddenPaths */
function checkPaths(bytes, forbiddenPaths) {
  return forbiddenPaths.filter((path) => bytes.includes(path)).map((path) => `contains the path ${path}`)
}

/**
 * @param {string} folder
 * @param {string[]} [forbiddenPaths] default: the folders of this package, its dependencies and this user
 * @returns {string[]} one line per problem, with the file's path
 */
export function checkFolder(folder, forbiddenPaths = machinePaths()) {
  const files = readdirSync(folder).filter((name) => name === PROGRAM || /\.(node|so)(\.|$)/.test(name))
  if (!files.some((name) => name.endsWith('.node'))) return [`${folder} holds no addon`]
  const glibc = floorOf(folder)
  return files.sort().flatMap((name) => {
    const path = join(folder, name)
    return checkFile(path, forbiddenPaths, glibc).map((problem) => `${path} ${problem}`)
  })
}

/** @param {string} folder @returns {string | undefined} */
function floorOf(folder) {
  const report = join(folder, BUILD_REPORT_FILE)
  return existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')).glibc : undefined
}

function machinePaths() {
  const require = createRequire(import.meta.url)
  const dependencies = ['node-addon-api', 'node-api-headers'].map((name) =>
    dirname(require.resolve(`${name}/package.json`)),
  )
  return [packageRoot, ...dependencies, `${homedir()}/`, `${tmpdir()}/`]
}

if (isMain(import.meta.url)) {
  const prebuilds = join(packageRoot, 'prebuilds')
  const here = [
    join(packageRoot, 'build/Release'),
    ...(existsSync(prebuilds) ? readdirSync(prebuilds).map((name) => join(prebuilds, name)) : []),
  ]
  const named = process.argv.slice(2).map((path) => resolve(path))
  const folders = named.length > 0 ? named : here.filter((path) => existsSync(path))
  const problems =
    folders.length > 0
      ? folders.flatMap((folder) => checkFolder(folder))
      : [`nothing is built in ${packageRoot}`]
  for (const problem of problems) console.error(problem)
  if (problems.length === 0) console.log(`checked ${folders.join(', ')}`)
  process.exitCode = problems.length > 0 ? 1 : 0
}
