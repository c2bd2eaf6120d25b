// @ts-check
import { readFileSync } from 'node:fs'
import { cardTargets, defaultTargets, knownTargets, namedTargets } from './gpu-targets.mjs'
import { findRocm } from './rocm.mjs'
import { BuildError } from './script.mjs'

/**
 * @typedef {'auto' | 'cpu' | 'hip'} Mode
 * @typedef {{ mode: Mode, portable: boolean, arch: string, cpuFeatures: string, variables: Record<string, string> }} Options
 * @typedef {object} HipPlan
 * @property {boolean} build
 * @property {string} message one sentence: for which GPUs, or why not
 * @property {import('./rocm.mjs').Rocm | null} rocm
 * @property {string[]} gpuTargets
 * @property {'whisper' | 'all' | null} kernels which of ggml's GPU kernels are compiled
 */

const FOR_OTHERS = 'To compile for the GPUs of other machines: npx whisper-hip build --hip'

const VARIABLES = ['CC', 'CXX', 'CFLAGS', 'CXXFLAGS', 'LDFLAGS', 'HIPCXX']
const CPU_FEATURES = /^(sse4_2|avx.*|bmi2|fma|f16c)$/

/**
 * Everything beside the sources that decides what a build produces.
 * @param {NodeJS.ProcessEnv} env
 * @param {boolean} [portable] default: `WHISPER_HIP_PORTABLE=1`
 * @returns {Options}
 */
export function buildOptions(env, portable = env.WHISPER_HIP_PORTABLE === '1') {
  const mode = env.WHISPER_HIP_BUILD || 'auto'
  if (mode !== 'auto' && mode !== 'cpu' && mode !== 'hip')
    throw new BuildError(`Expected 'auto', 'cpu' or 'hip' for WHISPER_HIP_BUILD but received '${mode}'.`)
  return {
    mode,
    portable,
    arch: process.arch,
    cpuFeatures: portable ? '' : cpuFeatures(),
    variables: Object.fromEntries(VARIABLES.map((name) => [name, env[name] ?? ''])),
  }
}

/** A build for this machine is a build for the features of its processor. */
function cpuFeatures() {
  const flags =
    readFileSync('/proc/cpuinfo', 'utf8')
      .match(/^(?:flags|Features)\s*: (.*)$/m)?.[1]
      ?.split(' ') ?? []
  return flags
    .filter((flag) => process.arch !== 'x64' || CPU_FEATURES.test(flag))
    .sort()
    .join(' ')
}

/**
 * Whether to build the HIP module, with what and for which GPUs: those of `WHISPER_HIP_TARGETS`, else those in this
 * machine, else, when HIP was asked for, a list of all that are common.
 * @param {Pick<Options, 'mode'>} options
 * @param {NodeJS.ProcessEnv} env
 * @param {object} [machine]
 * @param {(env: NodeJS.ProcessEnv) => ReturnType<typeof findRocm>} [machine.find]
 * @param {() => string[]} [machine.cards]
 * @returns {HipPlan}
 * @throws {BuildError} when HIP was asked for and cannot be compiled, and for a variable with a wrong value
 */
export function planHip({ mode }, env, { find = findRocm, cards = cardTargets } = {}) {
  /** @param {string} message @returns {HipPlan} */
  const without = (message) => ({ build: false, message, rocm: null, gpuTargets: [], kernels: null })
  if (mode === 'cpu') return without('WHISPER_HIP_BUILD=cpu was set.')
  const named = namedTargets(env)
  const kernels = kernelSet(env)

  /** @param {string} problem */
  const refuse = (problem) => {
    if (mode === 'hip')
      throw new BuildError(`WHISPER_HIP_BUILD=hip, but the HIP module cannot be built. ${problem}`)
    return without(problem)
  }
  const rocm = find(env)
  // Most machines without ROCm have no use for it: they are not told how to install it.
  if ('problem' in rocm && mode === 'auto' && wantedTargets(named, cards, mode) === null)
    return without(`No AMD GPU and no ROCm were found when this was built. ${FOR_OTHERS}`)
  if ('problem' in rocm) return refuse(rocm.problem)
  const wanted = wantedTargets(named, cards, mode)
  if (!wanted)
    return refuse(
      `ROCm ${rocm.version} is in ${rocm.root}, but this machine has no AMD GPU that it supports. ${FOR_OTHERS}`,
    )
  const known = knownTargets(wanted, rocm, env)
  if ('problem' in known) return refuse(known.problem)
  const notes = known.notes.length > 0 ? ` Not for others: ${known.notes.join(' ')}` : ''
  return {
    build: true,
    message: `Compiled for ${known.targets.join(', ')} with HIP ${rocm.version}.${notes}`,
    rocm,
    gpuTargets: known.targets,
    kernels,
  }
}

/** @param {ReturnType<typeof namedTargets>} named @param {() => string[]} cards @param {Mode} mode */
function wantedTargets(named, cards, mode) {
  if (named) return named
  const found = cards()
  if (found.length > 0) return { names: found, origin: /** @type {const} */ ('cards') }
  return mode === 'hip' ? defaultTargets() : null
}

/** @param {NodeJS.ProcessEnv} env @returns {'whisper' | 'all'} */
function kernelSet(env) {
  const value = env.WHISPER_HIP_ALL_KERNELS ?? ''
  if (/^(1|on|true|yes)$/i.test(value)) return 'all'
  if (/^(|0|off|false|no)$/i.test(value)) return 'whisper'
  throw new BuildError(`Expected ON or OFF for WHISPER_HIP_ALL_KERNELS but received '${value}'.`)
}
