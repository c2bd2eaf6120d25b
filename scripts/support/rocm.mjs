// @ts-check
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readOsRelease } from './distribution.mjs'
import { rocmEnvironment, tryCompiler } from './hip-compiler.mjs'
import { PARTS, rocmAdvice } from './rocm-packages.mjs'
import { findProgram, isAtLeast } from './toolchain.mjs'

const MIN_HIP = '6.1'

/**
 * @typedef {{ root: string, version: string, compiler: string }} Rocm
 * @typedef {import('./rocm-packages.mjs').Part} Part
 * @typedef {{ folder: string, missing: Part[], faults: string[], rocm: Rocm | null }} Finding of one folder
 */

/**
 * Looks for a ROCm installation that can compile the HIP module: `ROCM_PATH` and nothing else when it is set, else
 * /opt/rocm, /opt/rocm/core-*, /opt/rocm-*, /usr, and the folder that `hipconfig` in PATH names.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} [opt] where ROCm's folders are
 * @param {string} [usr] the system's own folder
 * @returns {Rocm | { problem: string }} the problem is sentences that name what is missing and what brings it
 */
export function findRocm(env = process.env, opt = '/opt', usr = '/usr') {
  const folders = rocmFolders(env, opt, usr)
  /** @type {Finding[]} */
  const findings = []
  for (const folder of folders) {
    const finding = examine(folder, env)
    if (finding.rocm) return finding.rocm
    findings.push(finding)
  }
  const nearest = findings.sort((a, b) => a.missing.length - b.missing.length)[0]
  const development = /** @type {const} */ (['headers', 'rocblas', 'hipblas'])
  if (!nearest || development.every((part) => nearest.missing.includes(part)))
    return { problem: nothingFound(folders, env) }
  return { problem: describe(nearest) }
}

/** @param {string[]} folders @param {NodeJS.ProcessEnv} env */
function nothingFound(folders, env) {
  const all = /** @type {Part[]} */ (Object.keys(PARTS))
  const where = env.ROCM_PATH ? `${folders[0]} (from ROCM_PATH)` : folders.join(', ')
  return `ROCm was not found in ${where}. ${advice(all)}`
}

/** @param {Finding} finding */
function describe({ folder, missing, faults }) {
  const sentences = [...faults]
  if (missing.length > 0) {
    const parts = missing.map((part) => PARTS[part])
    sentences.push(
      `ROCm in ${folder} lacks ${parts.join(', ').replace(/, ([^,]*)$/, ' and $1')}.`,
      advice(missing),
    )
  }
  return sentences.join(' ')
}

/** @param {Part[]} parts */
const advice = (parts) => rocmAdvice(parts, readOsRelease(), process.getuid?.() === 0)

/** @param {NodeJS.ProcessEnv} env @param {string} opt @param {string} usr */
function rocmFolders(env, opt, usr) {
  if (env.ROCM_PATH) return [env.ROCM_PATH.replace(/(.)\/+$/, '$1')]
  /** @param {string} folder @param {string} prefix newest version first */
  const versions = (folder, prefix) =>
    readFolder(folder)
      .filter((name) => name.startsWith(prefix))
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
      .map((name) => join(folder, name))
  const rocm = join(opt, 'rocm')
  const folders = [rocm, ...versions(rocm, 'core-'), ...versions(opt, 'rocm-'), usr]
  const hipconfig = findProgram('hipconfig', env)
  const named = hipconfig && firstLine(hipconfig, ['--rocmpath'], env)
  return named && !folders.includes(named) ? [...folders, named] : folders
}

/**
 * @param {string} folder
 * @param {NodeJS.ProcessEnv} env
 * @returns {Finding}
 */
function examine(folder, env) {
  /** @type {Part[]} */
  const missing = []
  /** @type {string[]} */
  const faults = []
  for (const [part, name] of /** @type {const} */ ([
    ['headers', 'hip'],
    ['rocblas', 'rocblas'],
    ['hipblas', 'hipblas'],
  ]))
    if (!packageFile(folder, name)) missing.push(part)

  const compiler = findCompiler(folder, env)
  if (!compiler) {
    missing.push('compiler')
    if (env.HIPCXX) faults.push(`HIPCXX names ${env.HIPCXX}, which is not a program.`)
  } else if (!missing.includes('headers')) {
    const { verdict, message } = tryCompiler({ root: folder, compiler }, env)
    if (verdict === 'devicelibs' || verdict === 'headers') missing.push(verdict)
    else if (verdict !== 'ok') faults.push(`${compiler} does not compile for HIP (${message}).`)
  }

  const version = missing.includes('headers') ? null : hipVersion(folder, env)
  if (!missing.includes('headers') && !version)
    faults.push(
      `The version of ROCm in ${folder} could not be read (hip-config-version.cmake, hipconfig --version).`,
    )
  if (version && !isAtLeast(version, MIN_HIP))
    faults.push(`ROCm in ${folder} is version ${version}; version ${MIN_HIP} or newer is needed.`)
  const rocm =
    missing.length === 0 && faults.length === 0 && compiler && version
      ? { root: folder, version, compiler }
      : null
  return { folder, missing, faults, rocm }
}

/** @param {string} folder @param {NodeJS.ProcessEnv} env */
function findCompiler(folder, env) {
  if (env.HIPCXX) return findProgram(env.HIPCXX, env)
  const hipconfig = findProgram(join(folder, 'bin', 'hipconfig'), env)
  const named = hipconfig && firstLine(hipconfig, ['--hipclangpath'], rocmEnvironment(folder, env))
  const inside = ['lib/llvm/bin/clang++', 'llvm/bin/clang++', 'bin/amdclang++'].map((path) =>
    join(folder, path),
  )
  for (const candidate of [...inside, ...(named ? [join(named, 'clang++')] : []), 'amdclang++', 'clang++']) {
    const found = findProgram(candidate, env)
    if (found) return found
  }
  return null
}

/** @param {string} folder @param {string} name */
function packageFile(folder, name, suffix = 'config') {
  const folders = ['lib/cmake', 'lib64/cmake', 'lib/x86_64-linux-gnu/cmake', 'lib/aarch64-linux-gnu/cmake']
  const paths = folders.map((cmake) => join(folder, cmake, name, `${name}-${suffix}.cmake`))
  return paths.find((path) => existsSync(path)) ?? null
}

/** @param {string} folder @param {NodeJS.ProcessEnv} env */
function hipVersion(folder, env) {
  const file = packageFile(folder, 'hip', 'config-version')
  const text = file ? readFileSync(file, 'utf8') : ''
  const version = text.match(/PACKAGE_VERSION "(\d+\.\d+(?:\.\d+)?)/)?.[1]
  if (version) return version
  const hipconfig = findProgram(join(folder, 'bin/hipconfig'), env)
  const told = hipconfig && firstLine(hipconfig, ['--version'], rocmEnvironment(folder, env))
  return told?.match(/\d+\.\d+(\.\d+)?/)?.[0] ?? null
}

/** @param {string} program @param {string[]} args @param {NodeJS.ProcessEnv} env */
const firstLine = (program, args, env) =>
  spawnSync(program, args, { encoding: 'utf8', env }).stdout?.split('\n')[0]?.trim() || null

/** @param {string} folder */
function readFolder(folder) {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
