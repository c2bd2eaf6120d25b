// @ts-check
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FAMILIES, isFamily } from '../../lib/backend/hip-packages.mjs'
import { tryTarget } from './hip-compiler.mjs'
import { BuildError } from './script.mjs'
import { isAtLeast } from './toolchain.mjs'

const KFD_NODES = '/sys/class/kfd/kfd/topology/nodes'

/**
 * What a module is for that is not for the cards of one machine. Integrated GPUs without a use for computing are among
 * them: without code for one of them HIP refuses the card beside it too.
 */
const DEFAULT_TARGETS = Object.values(FAMILIES).flatMap(({ chips }) => chips)
/** HIP versions before which an architecture is not one to compile for, whatever the compiler knows. */
const FIRST_HIP = new Map([['gfx950', '7.0']])

/** The only generic target whose device code is what ggml expects of the chips: it chooses kernels by the real chip. */
const GENERIC = 'gfx12-generic'

/**
 * @typedef {import('./rocm.mjs').Rocm} Rocm
 * @typedef {'named' | 'cards' | 'default'} Origin
 * @typedef {{ targets: string[], origin: Origin, notes: string[] }} Targets `notes`: what was left out, as sentences
 */

/**
 * The architectures named by `WHISPER_HIP_TARGETS`, or null when it is not set. The name of a family stands for those of its package.
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ names: string[], origin: Origin } | null}
 * @throws {BuildError} when a name is none, or there is no name
 */
export function namedTargets(env) {
  if (env.WHISPER_HIP_TARGETS === undefined) return null
  const names = [...new Set(env.WHISPER_HIP_TARGETS.split(/[;,\s]+/).filter(Boolean))]
  if (names.length === 0)
    throw new BuildError(
      'WHISPER_HIP_TARGETS is set and names no GPU architecture, e.g. gfx1100; or unset it.',
    )
  const [first = ''] = names
  if (names.length === 1 && isFamily(first)) return { names: FAMILIES[first].chips, origin: 'default' }
  for (const name of names) {
    if (name === GENERIC) continue
    if (/^gfx[\w-]+-generic$/.test(name))
      throw new BuildError(
        `WHISPER_HIP_TARGETS names ${name}: ggml chooses kernels by the real chip, and code for a generic target does not ` +
          `match them (only ${GENERIC} does). Name the chips instead, e.g. gfx1030;gfx1100.`,
      )
    if (!/^gfx\d+[0-9a-f]$/.test(name))
      throw new BuildError(
        `Expected names such as gfx1100, or one of ${Object.keys(FAMILIES).join(', ')}, for WHISPER_HIP_TARGETS but received '${name}'.`,
      )
  }
  return { names, origin: 'named' }
}

/** Chips before Vega, which no ROCm from 6.1 on supports. */
const TOO_OLD = /^gfx[678]\d\d$/

/**
 * The architectures of the GPUs in this machine that ROCm supports.
 * @param {string} nodes folder of the kernel's GPU topology
 * @returns {string[]}
 */
export function cardTargets(nodes = KFD_NODES) {
  const found = readFolder(nodes).map((node) => gfxName(join(nodes, node, 'properties')))
  const names = found.filter((name) => name !== null)
  return [...new Set(names.filter((name) => !TOO_OLD.test(name)))].sort()
}

/**
 * Those of the wanted architectures that the compiler knows: it is asked.
 * @param {{ names: string[], origin: Origin }} wanted
 * @param {Rocm} rocm
 * @param {NodeJS.ProcessEnv} env
 * @returns {Targets | { problem: string }}
 */
export function knownTargets({ names, origin }, rocm, env) {
  /** @type {string[]} */
  const notes = []
  const targets = names.filter((name) => {
    const first = FIRST_HIP.get(name)
    if (origin === 'default' && first && !isAtLeast(rocm.version, first)) {
      notes.push(`${name} needs HIP ${first}.`)
      return false
    }
    const { verdict, message } = tryTarget(rocm, name, env)
    if (verdict !== 'ok') notes.push(`${rocm.compiler} does not compile for ${name}: ${message}.`)
    return verdict === 'ok'
  })
  if (targets.length === 0 || (origin === 'named' && notes.length > 0)) return { problem: notes.join(' ') }
  return { targets, origin, notes }
}

/** @returns {{ names: string[], origin: Origin }} */
export const defaultTargets = () => ({ names: DEFAULT_TARGETS, origin: 'default' })

/**
 * gfx_target_version is decimal: major * 10000 + minor * 100 + stepping; a name writes the last two in hexadecimal.
 * @param {string} properties
 * @returns {string | null} null for a processor
 */
function gfxName(properties) {
  try {
    const value = Number(readFileSync(properties, 'utf8').match(/^gfx_target_version (\d+)$/m)?.[1] ?? 0)
    if (value === 0) return null
    const minor = Math.floor(value / 100) % 100
    return `gfx${Math.floor(value / 10000)}${minor.toString(16)}${(value % 100).toString(16)}`
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
