// @ts-check
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aptMirror, execute, requireProgram } from './apt.mjs'
import { insideTree } from './chroot.mjs'
import { BuildError } from './script.mjs'

/** The Debian release with a ROCm that ggml can be built with, and the packages of it. */
const SUITE = 'forky'
const PACKAGES = [
  ...['hipcc', 'libamdhip64-dev', 'librocblas-dev', 'libhipblas-dev', 'rocm-device-libs-21'],
  ...['cmake', 'ninja-build', 'g++', 'ccache', 'nodejs', 'pkgconf', 'ca-certificates'],
]
/** Changes when what a finished tree holds changes. */
const RECIPE = createHash('sha256')
  .update(JSON.stringify([1, SUITE, PACKAGES]))
  .digest('hex')

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const SCRIPTS = '/usr/share/debootstrap/scripts'
const STAMP = '.whisper-hip-recipe'

/**
 * Whether a folder holds a tree that this recipe has finished.
 * @param {string} folder
 */
export function isFinished(folder) {
  try {
    return readFileSync(join(folder, STAMP), 'utf8').trim() === RECIPE
  } catch {
    return false
  }
}

/**
 * Makes a Debian system with ROCm's compiler and libraries in a folder, or finishes one that was begun.
 * @param {string} folder
 * @param {(line: string) => void} tell
 */
export function makeTree(folder, tell) {
  if (isFinished(folder)) return
  mkdirSync(folder, { recursive: true })
  const bootstrapped = join(folder, '.whisper-hip-bootstrapped')
  if (!existsSync(bootstrapped)) {
    const debootstrap = requireProgram('debootstrap', tell)
    const mirror = aptMirror()
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
  tell(`installing ROCm in ${folder}`)
  const failed = `ROCm could not be installed in ${folder}: is ${aptMirror()} reachable?`
  /** @param {string[]} args */
  const aptGet = (...args) =>
    execute(insideTree(folder, ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args]), failed)
  aptGet('-q', '-o', 'Acquire::Check-Valid-Until=false', 'update')
  aptGet('-qq', '-y', '--no-install-recommends', 'install', ...PACKAGES)
  aptGet('clean')
  if (!existsSync(join(folder, 'usr/bin/hipcc')))
    throw new BuildError(`The installation in ${folder} ended without hipcc.`)
  writeFileSync(join(folder, STAMP), `${RECIPE}\n`)
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
