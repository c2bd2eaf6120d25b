// @ts-check
/** Debian's packages, by the apt of this machine. */
import { spawnSync } from 'node:child_process'
import { BuildError } from './script.mjs'
import { findProgram } from './toolchain.mjs'

/** @returns {NodeJS.ProcessEnv} */
const withSystemFolders = () => ({ ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` })

/**
 * Path of a program that makes Debian systems. It is installed if it is missing.
 * @param {'debootstrap' | 'mmdebstrap'} name also of its package
 * @param {(line: string) => void} tell
 */
export function requireProgram(name, tell) {
  const found = findProgram(name, withSystemFolders())
  if (found) return found
  if (!findProgram('apt-get', process.env))
    throw new BuildError(`${name} was not found in PATH; install it with your package manager.`)
  tell(`installing ${name}`)
  const failed = `${name} is missing and could not be installed (apt-get install ${name}).`
  execute(['apt-get', '-qq', 'update'], failed)
  execute(['apt-get', '-qq', '-y', '--no-install-recommends', 'install', name], failed)
  return name
}

/**
 * The mirror of Debian from which this machine installs its own packages.
 * @returns {string}
 */
export function aptMirror() {
  const listing = spawnSync(
    'apt-get',
    ['indextargets', '--format', '$(ORIGIN) $(CREATED_BY) $(CODENAME) $(REPO_URI)', 'Created-By: Packages'],
    { encoding: 'utf8' },
  )
  const lines = (listing.stdout ?? '').split('\n').map((line) => line.trim().split(' '))
  const debian = lines.filter(
    ([origin, , codename]) => origin === 'Debian' && !codename?.endsWith('-security'),
  )
  const uri = debian.find((line) => !line.at(-1)?.includes('security'))?.at(-1)
  if (uri) return uri
  throw new BuildError(
    'apt names no mirror of Debian on this machine (apt-get indextargets): it has to be Debian, with its package lists (apt-get update).',
  )
}

/**
 * Runs a program that shows on stderr what it does.
 * @param {string[]} command
 * @param {string} failed a sentence for when it fails
 */
export function execute([program = '', ...args], failed) {
  const { status, error } = spawnSync(program, args, {
    stdio: ['ignore', process.stderr, process.stderr],
    env: withSystemFolders(),
  })
  if (status !== 0) throw new BuildError(`${failed} (${error?.message ?? `${program} ended with ${status}`})`)
}
