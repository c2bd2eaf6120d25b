// @ts-check
import { spawnSync } from 'node:child_process'

/**
 * @typedef {{ root: string, compiler: string }} HipCompiler
 * @typedef {'ok' | 'target' | 'devicelibs' | 'headers' | 'fails'} Verdict `target`: it does not know the architecture
 */

const ROCM_PATH_OF_SYSTEM = '/usr'

/**
 * The environment in which ROCm's programs run. Clang takes `ROCM_PATH=/usr` for the place of everything, and then does
 * not find the device libraries that distributions have in a folder of clang's.
 * @param {string} root ROCm's folder
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
export function rocmEnvironment(root, env) {
  const { ROCM_PATH: _, ...others } = env
  return root === ROCM_PATH_OF_SYSTEM ? others : { ...others, ROCM_PATH: root }
}

/** A source without anything; the compiler's own headers for HIP come before it. Not from stdin, which may be closed before it is read. */
const NOTHING = ['-x', 'hip', '--cuda-device-only', '-c', '-o', '/dev/null', '/dev/null']
/** The compiler plans what it would do, checks the architecture and its libraries, and compiles nothing. */
const PLAN_ONLY = '-###'
/** Every compiler for HIP knows it. */
const COMMON_TARGET = 'gfx90a'

/**
 * Lets the compiler compile nothing for a GPU, which takes HIP's headers and the device libraries.
 * @param {HipCompiler} rocm
 * @param {NodeJS.ProcessEnv} env
 */
export const tryCompiler = (rocm, env) => ask(rocm, [`--offload-arch=${COMMON_TARGET}`, ...NOTHING], env)

/**
 * Asks the compiler whether it knows an architecture and has the device libraries for it.
 * @param {HipCompiler} rocm
 * @param {string} target e.g. `gfx1100`
 * @param {NodeJS.ProcessEnv} env
 */
export const tryTarget = (rocm, target, env) =>
  ask(rocm, [PLAN_ONLY, `--offload-arch=${target}`, ...NOTHING], env)

/**
 * @param {HipCompiler} rocm
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ verdict: Verdict, message: string }} the message is the compiler's first error
 */
function ask({ root, compiler }, args, env) {
  const { status, stderr, error } = spawnSync(compiler, args, {
    encoding: 'utf8',
    env: rocmEnvironment(root, env),
  })
  if (status === 0) return { verdict: 'ok', message: '' }
  const text = error ? error.message : stderr
  const message = text.split('\n').find((line) => /error:/i.test(line)) ?? text.split('\n')[0] ?? ''
  return { verdict: verdictOf(text), message: message.trim() }
}

/** @param {string} text what the compiler wrote @returns {Verdict} */
function verdictOf(text) {
  if (/cannot find ROCm device library/i.test(text)) return 'devicelibs'
  if (/cannot find HIP runtime|hip\/hip_runtime\.h|hip_version\.h/i.test(text)) return 'headers'
  if (/(unsupported|unknown|invalid).{0,40}(arch|target|gfx|cpu)/i.test(text)) return 'target'
  return 'fails'
}
