// @ts-check
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { aptMirror, execute, requireProgram } from './apt.mjs'
import { insideTree } from './chroot.mjs'
import { BuildError } from './script.mjs'

/** The release of Debian with a ROCm that ggml can be built with. */
const SUITE = 'forky'
/** What of ROCm may come from Debian's experimental suite, which has newer versions of much else, too. */
const EXPERIMENTAL = ['hipcc', 'rocm*', 'libamd*', 'libhip*', 'libhsa*', 'libroc*']

const COMPILER = ['hipcc', 'libamdhip64-dev', 'librocblas-dev', 'libhipblas-dev']
const TOOLS = ['cmake', 'ninja-build', 'g++', 'ccache', 'nodejs', 'pkgconf', 'ca-certificates']

/**
 * What a tree holds.
 * @typedef {object} Recipe
 * @property {string} name in words
 * @property {string[]} packages
 * @property {string[]} experimental patterns of packages that come from the experimental suite
 * @property {string[]} runtime what of them, and of what they bring, runs a module and compiles none; the BLAS libraries last
 * @property {string} proof a file that is there at the end
 */

/**
 * What the HIP module is compiled with, by the ROCm that it is for.
 * @type {Record<'6' | '7', Recipe>}
 */
export const TOOLCHAINS = {
  6: {
    name: 'ROCm 6',
    packages: [...COMPILER, 'rocm-device-libs-21', ...TOOLS],
    experimental: [],
    runtime: ['libamdhip64-6', 'libhipblas2', 'librocblas4'],
    proof: 'usr/bin/hipcc',
  },
  7: {
    name: 'ROCm 7',
    packages: [...COMPILER, ...TOOLS],
    experimental: EXPERIMENTAL,
    runtime: ['libamdhip64-7', 'libhipblas3', 'librocblas5'],
    proof: 'usr/bin/hipcc',
  },
}

/** Where a tree has its copy of the checkout. */
export const COPY = 'whisper-hip'

/**
 * @param {string} value of the option --rocm
 * @returns {'6' | '7'}
 */
export function readRocm(value) {
  if (value !== '6' && value !== '7')
    throw new BuildError(`Expected 6 or 7 for --rocm but received '${value}'.`)
  return value
}

/** Where a tree is, unless another folder is named. @param {'6' | '7'} rocm */
export const toolchainFolder = (rocm) =>
  treeFolder(rocm === '6' ? 'rocm-toolchain' : `rocm-toolchain-${rocm}`)

/** @param {string} name of a tree */
const treeFolder = (name) =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'whisper-hip', name)

/**
 * Changes when what a finished tree holds changes.
 * @param {Recipe} recipe
 */
function stampOf({ packages, experimental }) {
  const holds = [1, SUITE, packages, ...(experimental.length > 0 ? [experimental] : [])]
  return createHash('sha256').update(JSON.stringify(holds)).digest('hex')
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const SCRIPTS = '/usr/share/debootstrap/scripts'
const STAMP = '.whisper-hip-recipe'

/**
 * Whether a folder holds a tree that this recipe has finished.
 * @param {string} folder
 * @param {Recipe} recipe
 */
export function isFinished(folder, recipe) {
  try {
    return readFileSync(join(folder, STAMP), 'utf8').trim() === stampOf(recipe)
  } catch {
    return false
  }
}

/**
 * Makes a Debian system in a folder, or finishes one that was begun.
 * @param {string} folder
 * @param {Recipe} recipe
 * @param {(line: string) => void} tell
 */
export function makeTree(folder, recipe, tell) {
  if (isFinished(folder, recipe)) return
  const { name, packages, experimental, proof } = recipe
  mkdirSync(folder, { recursive: true })
  const mirror = aptMirror()
  const bootstrapped = join(folder, '.whisper-hip-bootstrapped')
  if (!existsSync(bootstrapped)) {
    const debootstrap = requireProgram('debootstrap', tell)
    removeRemains(folder)
    tell(`installing Debian ${SUITE} from ${mirror} in ${folder}`)
    // A debootstrap that is older than the release has no script of that name; all of Debian's are the same.
    const script = existsSync(join(SCRIPTS, SUITE)) ? [] : [join(SCRIPTS, 'sid')]
    const keyring = existsSync(KEYRING) ? [`--keyring=${KEYRING}`] : []
    execute(
      [debootstrap, '--variant=minbase', ...keyring, SUITE, folder, mirror, ...script],
      `Debian ${SUITE} could not be installed in ${folder}: is ${mirror} reachable, and does it have that release?`,
    )
    writeFileSync(bootstrapped, '')
  }
  tell(`installing ${name} in ${folder}`)
  if (experimental.length > 0) admitExperimental(folder, mirror, experimental)
  const failed = `${name} could not be installed in ${folder}: is ${mirror} reachable?`
  /** @param {string[]} args */
  const aptGet = (...args) =>
    execute(insideTree(folder, ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args]), failed)
  aptGet('-q', '-o', 'Acquire::Check-Valid-Until=false', 'update')
  aptGet('-qq', '-y', '--no-install-recommends', 'install', ...packages)
  aptGet('clean')
  if (!existsSync(join(folder, proof)))
    throw new BuildError(`The installation in ${folder} ended without ${proof}.`)
  writeFileSync(join(folder, STAMP), `${stampOf(recipe)}\n`)
}

/**
 * Lets apt take some packages from the experimental suite, and no others.
 * @param {string} folder
 * @param {string} mirror
 * @param {string[]} patterns
 */
function admitExperimental(folder, mirror, patterns) {
  const apt = join(folder, 'etc/apt')
  for (const name of ['sources.list.d', 'preferences.d']) mkdirSync(join(apt, name), { recursive: true })
  writeFileSync(join(apt, 'sources.list.d/experimental.list'), `deb ${mirror} experimental main\n`)
  const pin = `Package: ${patterns.join(' ')}\nPin: release a=experimental\nPin-Priority: 990\n`
  writeFileSync(join(apt, 'preferences.d/rocm'), pin)
}

/**
 * A debootstrap that was interrupted does not go on; it begins in an empty folder.
 * @param {string} folder
 */
function removeRemains(folder) {
  const names = readdirSync(folder)
  if (names.length === 0) return
  if (!existsSync(join(folder, 'debootstrap')))
    throw new BuildError(
      `${folder} is not empty and holds no installation that was begun; name another folder.`,
    )
  for (const name of names) rmSync(join(folder, name), { recursive: true, force: true })
}
