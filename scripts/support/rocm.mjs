// @ts-check
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, isAtLeast } from './toolchain.mjs'

const MIN_HIP = '6.1'
const KFD_NODES = '/sys/class/kfd/kfd/topology/nodes'

/** @typedef {{ root: string, version: string, compiler: string }} Rocm */

/**
 * Looks for a ROCm installation that can compile the HIP module.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Rocm | { problem: string }} the problem is a sentence that names what is missing
 */
export function findRocm(env = process.env) {
  const roots = rocmRoots(env)
  const root = roots.find((folder) => packageFile(folder, 'hip'))
  if (!root)
    return {
      problem: `No ROCm development files were found (looked for lib/cmake/hip in ${roots.join(', ')}).`,
    }
  const compiler = env.HIPCXX ?? firstExisting([`${root}/lib/llvm/bin/clang++`, `${root}/llvm/bin/clang++`])
  const found = compiler
    ? findProgram(compiler, env)
    : (findProgram('amdclang++', env) ?? findProgram('clang++', env))
  if (!found) return { problem: `ROCm in ${root} has no HIP compiler (clang++); set HIPCXX to it.` }
  for (const name of ['hipblas', 'rocblas'])
    if (!packageFile(root, name))
      return { problem: `ROCm in ${root} lacks the development files of ${name}.` }
  const version = hipVersion(root, env)
  if (!version) return { problem: `The version of ROCm in ${root} could not be read (hipconfig --version).` }
  if (!isAtLeast(version, MIN_HIP))
    return { problem: `ROCm in ${root} is version ${version}; version ${MIN_HIP} or newer is needed.` }
  return { root, version, compiler: found }
}

/** @param {NodeJS.ProcessEnv} env */
function rocmRoots(env) {
  if (env.ROCM_PATH) return [env.ROCM_PATH]
  const versioned = readFolder('/opt')
    .filter((name) => name.startsWith('rocm-'))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
  const cores = readFolder('/opt/rocm').filter((name) => name.startsWith('core-'))
  const names = ['rocm', ...cores.map((name) => `rocm/${name}`), ...versioned]
  return [...names.map((name) => join('/opt', name)), '/usr']
}

/** @param {string} root @param {string} name */
function packageFile(root, name) {
  const folders = ['lib/cmake', 'lib64/cmake', 'lib/x86_64-linux-gnu/cmake', 'lib/aarch64-linux-gnu/cmake']
  return firstExisting(folders.map((folder) => join(root, folder, name, `${name}-config.cmake`)))
}

/** @param {string} root @param {NodeJS.ProcessEnv} env */
function hipVersion(root, env) {
  const hipconfig = findProgram(join(root, 'bin/hipconfig'), env)
  if (!hipconfig) return null
  const { stdout } = spawnSync(hipconfig, ['--version'], {
    encoding: 'utf8',
    env: { ...env, ROCM_PATH: root },
  })
  return stdout?.match(/\d+\.\d+(\.\d+)?/)?.[0] ?? null
}

/**
 * The architectures to compile for: `WHISPER_HIP_TARGETS`, else those of the GPUs in this machine.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} nodes folder of the kernel's GPU topology
 * @returns {string[]}
 */
export function gpuTargets(env = process.env, nodes = KFD_NODES) {
  const named = env.WHISPER_HIP_TARGETS?.split(/[;,\s]+/).filter(Boolean)
  if (named?.length) return named
  const found = readFolder(nodes).map((node) => gfxName(join(nodes, node, 'properties')))
  return [...new Set(found.filter((name) => name !== null))].sort()
}

/**
 * gfx_target_version is decimal: major * 10000 + minor * 100 + stepping; a name writes the stepping in hexadecimal.
 * @param {string} properties
 * @returns {string | null} null for a processor
 */
function gfxName(properties) {
  try {
    const value = Number(readFileSync(properties, 'utf8').match(/^gfx_target_version (\d+)$/m)?.[1] ?? 0)
    if (value === 0) return null
    return `gfx${Math.floor(value / 10000)}${Math.floor(value / 100) % 100}${(value % 100).toString(16)}`
  } catch {
    return null
  }
}

/** @param {string} folder */
function readFolder(folder) {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** @param {string[]} paths */
const firstExisting = (paths) => paths.find((path) => existsSync(path)) ?? null
