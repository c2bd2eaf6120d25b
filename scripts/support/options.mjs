// @ts-check
import { readFileSync } from 'node:fs'
import { findRocm, gpuTargets } from './rocm.mjs'
import { BuildError } from './script.mjs'

/**
 * @typedef {'auto' | 'cpu' | 'hip'} Mode
 * @typedef {{ mode: Mode, portable: boolean, arch: string, cpuFeatures: string, variables: Record<string, string> }} Options
 * @typedef {object} HipPlan
 * @property {boolean} build
 * @property {string} message one sentence: for which GPUs, or why not
 * @property {import('./rocm.mjs').Rocm | null} rocm
 * @property {string[]} gpuTargets
 */

const VARIABLES = ['CC', 'CXX', 'CFLAGS', 'CXXFLAGS', 'LDFLAGS', 'HIPCXX']
const CPU_FEATURES = /^(sse4_2|avx.*|bmi2|fma|f16c|amx.*)$/

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
 * @param {Pick<Options, 'mode'>} options
 * @param {NodeJS.ProcessEnv} env
 * @returns {HipPlan}
 * @throws {BuildError} when HIP was asked for and cannot be compiled
 */
export function planHip({ mode }, env) {
  /** @param {string} message @returns {HipPlan} */
  const without = (message) => ({ build: false, message, rocm: null, gpuTargets: [] })
  if (mode === 'cpu') return without('WHISPER_HIP_BUILD=cpu was set.')

  /** @param {string} problem */
  const refuse = (problem) => {
    if (mode === 'hip')
      throw new BuildError(`WHISPER_HIP_BUILD=hip, but the HIP module cannot be built. ${problem}`)
    return without(problem)
  }
  const rocm = findRocm(env)
  if ('problem' in rocm) return refuse(rocm.problem)
  const targets = gpuTargets(env)
  const wrong = targets.find((target) => !/^gfx\d+[0-9a-f]$/.test(target))
  if (wrong)
    throw new BuildError(`Expected names such as gfx1100 for WHISPER_HIP_TARGETS but received '${wrong}'.`)
  if (targets.length === 0)
    return refuse('This machine has no AMD GPU; set WHISPER_HIP_TARGETS to compile for others, e.g. gfx1100.')
  return {
    build: true,
    message: `Compiled for ${targets.join(', ')} with HIP ${rocm.version}.`,
    rocm,
    gpuTargets: targets,
  }
}
