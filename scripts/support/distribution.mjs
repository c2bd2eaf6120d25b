// @ts-check
import { readFileSync } from 'node:fs'
import { distributionIds, osReleaseFields } from '../../lib/backend/preflight/rocm-releases.mjs'

/** @typedef {'apt' | 'dnf' | 'pacman' | 'zypper' | 'apk'} Manager a package manager */

/** ID and ID_LIKE values of /etc/os-release. */
const DISTRIBUTIONS = {
  apt: ['debian', 'ubuntu'],
  dnf: ['fedora', 'rhel', 'centos', 'amzn'],
  pacman: ['arch'],
  zypper: ['suse', 'opensuse', 'sles'],
  apk: ['alpine'],
}
const INSTALL = {
  apt: 'apt-get install',
  dnf: 'dnf install',
  pacman: 'pacman -S',
  zypper: 'zypper install',
  apk: 'apk add',
}

/** @param {string} [file] @returns {string} empty when there is none */
export function readOsRelease(file = '/etc/os-release') {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/**
 * The ID of a distribution, then those that it is like, each also without what follows a hyphen.
 * @param {string} osRelease contents of /etc/os-release
 */
const namesOf = (osRelease) =>
  distributionIds(osReleaseFields(osRelease)).flatMap((id) => [id, id.split('-')[0] ?? id])

/** @param {string} osRelease @returns {Manager | null} */
export function packageManager(osRelease) {
  for (const id of namesOf(osRelease))
    for (const [manager, names] of Object.entries(DISTRIBUTIONS))
      if (names.includes(id)) return /** @type {Manager} */ (manager)
  return null
}

/**
 * @param {Manager} manager
 * @param {string[]} packages
 * @param {boolean} root whether the user is root
 */
export const installCommand = (manager, packages, root) =>
  `${root ? '' : 'sudo '}${INSTALL[manager]} ${packages.join(' ')}`
