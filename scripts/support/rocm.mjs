// @ts-check
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import {
  isWheel,
  systemPrefixes,
  userPrefixes,
  withSiblings,
} from '../../lib/backend/preflight/rocm-folders.mjs'
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

/** The file system as it is. */
const FILES = {
  list: readFolder,
  exists: existsSync,
  /** @param {string} path */
  realpath(path) {
    try {
      return realpathSync(path)
    } catch {
      return null
    }
  },
}

/**
 * Looks for a ROCm installation that can compile the HIP module: `ROCM_PATH` and nothing else when it is set, else `HIP_PATH`,
 * /opt/rocm, /opt/rocm/core-*, /opt/rocm-*, /usr, the folder that `hipconfig` in PATH names, Python packages, and archives
 * unpacked in the home folder. A folder of one of ROCm's Python packages stands for all of them.
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
  const isNear = nearest !== undefined && !development.every((part) => nearest.missing.includes(part))
  if (isNear && !isWheel(nearest.folder)) return { problem: describe(nearest, advice(nearest.missing)) }
  const wheel = findings.find(({ folder }) => isWheel(folder) && existsSync(folder))
  return { problem: wheel ? describeWheels(wheel.folder, findings) : nothingFound(folders, env) }
}

/** @param {string[]} folders @param {NodeJS.ProcessEnv} env */
function nothingFound(folders, env) {
  const all = /** @type {Part[]} */ (Object.keys(PARTS))
  const named = folderIn(env.ROCM_PATH)
  if (named) return `ROCm was not found in ${named} (from ROCM_PATH). ${advice(all)}`
  return `ROCm was not found. ${advice(all)} Looked for in ${folders.join(', ')}.`
}

/**
 * ROCm from Python packages, of which the development files are one, unpacked by a command of their own.
 * @param {string} wheel
 * @param {Finding[]} findings
 */
function describeWheels(wheel, findings) {
  const packages = dirname(wheel)
  const packed = ['_devel.tar.xz', '_devel.tar'].some((name) =>
    existsSync(join(packages, 'rocm_sdk_devel', name)),
  )
  if (packed) return `The development files of ROCm in ${packages} are not unpacked yet. Run: rocm-sdk init`
  const how = 'Install with: pip install "rocm[libraries,devel]" && rocm-sdk init'
  const devel = findings.find(({ folder }) => basename(folder).startsWith('_rocm_sdk_devel'))
  return devel ? describe(devel, how) : `The ROCm in ${wheel} is without development files. ${how}`
}

/** @param {Finding} finding @param {string} how what brings the missing parts */
function describe({ folder, missing, faults }, how) {
  const sentences = [...faults]
  if (missing.length > 0) {
    const parts = missing.map((part) => PARTS[part])
    sentences.push(`ROCm in ${folder} lacks ${parts.join(', ').replace(/, ([^,]*)$/, ' and $1')}.`, how)
  }
  return sentences.join(' ')
}

/** @param {Part[]} parts */
const advice = (parts) => rocmAdvice(parts, readOsRelease(), process.getuid?.() === 0)

/** @param {NodeJS.ProcessEnv} env @param {string} opt @param {string} usr */
function rocmFolders(env, opt, usr) {
  const named = folderIn(env.ROCM_PATH)
  if (named) return withSiblings(FILES, named)
  const hip = folderIn(env.HIP_PATH)
  const hipconfig = findProgram('hipconfig', env)
  const told = hipconfig && firstLine(hipconfig, ['--rocmpath'], env)
  const folders = [
    ...(hip && existsSync(hip) ? withSiblings(FILES, hip) : []),
    ...systemPrefixes(FILES, opt),
    usr,
    ...(told ? withSiblings(FILES, told) : []),
    ...userPrefixes(FILES, env),
  ]
  return [...new Set(folders)]
}

/** @param {string | undefined} value of a variable; a blank one counts as not set */
const folderIn = (value) => value?.trim().replace(/(.)\/+$/, '$1') || null

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
    if (env.HIPCXX?.trim()) faults.push(`HIPCXX names ${env.HIPCXX}, which is not a program.`)
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
  if (env.HIPCXX?.trim()) return findProgram(env.HIPCXX.trim(), env)
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

const LIBRARY = /^lib(amdhip64|rocblas|hipblas)\.so/
const OF_THE_LOADER = /^(\/usr)?\/lib(64)?(\/[\w-]+-linux-gnu)?$/

/**
 * Folders of a ROCm's libraries in which the loader does not look: the HIP module has to remember them.
 * @param {string} root
 * @param {string} [cache] the loader's cache
 */
export function unseenFolders(root, cache = '/etc/ld.so.cache') {
  const known = existsSync(cache) ? readFileSync(cache, 'latin1') : ''
  /** @param {string} folder */
  const isSeen = (folder) => OF_THE_LOADER.test(folder) || known.includes(`${folder}/libamdhip64.so`)
  const folders = [root, ...withSiblings(FILES, root)].flatMap((prefix) => [
    join(prefix, 'lib'),
    join(prefix, 'lib64'),
  ])
  return [...new Set(folders)].filter(
    (folder) =>
      readFolder(folder).some((name) => LIBRARY.test(name)) &&
      !isSeen(folder) &&
      !isSeen(FILES.realpath(folder) ?? folder),
  )
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
