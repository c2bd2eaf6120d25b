// @ts-check
/**
 * Which ROCm the archives of the distributions have. JavaScript, because the scripts of the published package read it too: a
 * build and the library give the same advice.
 */

/** The oldest ROCm that the HIP module can be built and run with. */
const MINIMUM = '6.1'

/** AMD's page on how to install ROCm, as a message names it. */
export const GUIDE = '"ROCm installation for Linux" (https://rocm.docs.amd.com/projects/install-on-linux/)'

/**
 * @typedef {object} Archive
 * @property {Readonly<Record<string, string | null>>} releases by number and by code name; null: none, or not as a whole
 * @property {string} later what a newer release has, or one without a number because it is always the newest
 */

/** @type {Readonly<Record<string, Archive>>} by the ID of os-release */
const ARCHIVES = {
  // The pages of Debian packages: libamdhip64-dev, librocblas-dev
  debian: {
    releases: {
      ...named(['bullseye', '11'], null),
      ...named(['bookworm', '12'], '5.2'),
      ...named(['trixie', '13'], '5.7'),
      ...named(['forky', '14', 'sid'], '6.4'),
    },
    later: '6.4',
  },
  // packages.ubuntu.com: libamdhip64-dev, librocblas-dev
  ubuntu: {
    releases: {
      ...named(['focal', '20.04', 'jammy', '22.04'], null),
      ...named(['noble', '24.04', 'oracular', '24.10', 'plucky', '25.04', 'questing', '25.10'], '5.7'),
      ...named(['resolute', '26.04'], '7.1'),
      ...named(['stonking', '26.10'], '7.2'),
      ...named(['tenacious', '27.04'], '10.0'),
    },
    later: '10.0',
  },
  // packages.fedoraproject.org: rocclr/rocm-hip-devel, rocblas
  fedora: {
    releases: {
      38: null,
      39: '5.7',
      40: '6.0',
      41: '6.2',
      42: '6.3',
      43: '6.4',
      44: '7.1',
      45: '7.2',
      46: '10.0',
    },
    later: '10.0',
  },
  // packages.fedoraproject.org: rocblas in Fedora EPEL
  epel: {
    releases: { 8: null, 9: null, 10: '7.2', '10.0': null, 10.1: '6.4', 10.2: '7.1', 10.3: '7.2' },
    later: '7.2',
  },
  // build.opensuse.org: rocblas in openSUSE:Factory and openSUSE:Slowroll; Leap has none
  'opensuse-tumbleweed': { releases: {}, later: '6.4' },
  'opensuse-slowroll': { releases: {}, later: '6.4' },
  // archlinux.org: rocblas in extra
  arch: { releases: {}, later: '10.0' },
  // packages.gentoo.org: sci-libs/rocBLAS
  gentoo: { releases: {}, later: '7.2' },
  // NixOS/nixpkgs: pkgs/development/rocm-modules
  nixos: {
    releases: {
      23.05: '5.4',
      23.11: '5.7',
      24.05: '6.0',
      24.11: '6.0',
      25.05: '6.3',
      25.11: '6.4',
    },
    later: '6.4',
  },
}

/** Those whose users take ROCm from Fedora's EPEL; on Red Hat's own and Oracle's AMD's packages are set up. */
const WITH_EPEL = ['centos', 'rocky', 'almalinux']
/** They say that they are like Fedora, and do not have its packages. */
const UNLIKE_FEDORA = ['rhel', 'ol', 'amzn']
/** Of what a derived distribution is made. */
const CODENAMES = ['UBUNTU_CODENAME', 'DEBIAN_CODENAME', 'VERSION_CODENAME']

/**
 * The fields of `/etc/os-release`.
 * @param {string} text
 * @returns {ReadonlyMap<string, string>}
 */
export function osReleaseFields(text) {
  /** @type {Map<string, string>} */
  const fields = new Map()
  for (const line of text.split('\n')) {
    const [, key, value] = /^([A-Z_]+)=(.*)$/.exec(line.trim()) ?? []
    if (key !== undefined && value !== undefined) fields.set(key, value.replace(/^(["'])(.*)\1$/, '$2'))
  }
  return fields
}

/**
 * The ID of a distribution, then those that it is like.
 * @param {ReadonlyMap<string, string>} fields
 */
export function distributionIds(fields) {
  return [fields.get('ID') ?? '', ...(fields.get('ID_LIKE') ?? '').split(/\s+/)].filter(Boolean)
}

/**
 * Whether Fedora's EPEL has to be set up first.
 * @param {ReadonlyMap<string, string>} fields of os-release
 */
export const takesEpel = (fields) => WITH_EPEL.includes(fields.get('ID') ?? '')

/**
 * Version of the ROCm in the archive of a distribution.
 * @param {ReadonlyMap<string, string>} fields of os-release
 * @returns {string | null} e.g. `6.4`; null when there is none, or it is not known
 */
export function archiveRocm(fields) {
  const ids = distributionIds(fields)
  const [own = ''] = ids
  const id = takesEpel(fields) ? 'epel' : (ids.find((name) => Object.hasOwn(ARCHIVES, name)) ?? '')
  const archive = ARCHIVES[id]
  if (archive === undefined || UNLIKE_FEDORA.includes(own)) return null
  const hasNumbersOf = id === own || id === 'epel' || id === 'fedora'
  const number = hasNumbersOf ? fields.get('VERSION_ID') : undefined
  const names = [...CODENAMES.map((key) => fields.get(key)), number, number?.split('.', 1)[0]]
  const known = names.find((name) => name !== undefined && Object.hasOwn(archive.releases, name))
  if (known !== undefined) return archive.releases[known] ?? null
  const numbers = Object.keys(archive.releases).map(Number).filter(Number.isFinite)
  const isNewest = number === undefined || Number(number) > Math.max(...numbers)
  // A derived distribution with a code name of its own can be of any age.
  return isNewest && (hasNumbersOf || numbers.length === 0) ? archive.later : null
}

/**
 * Whether a release of ROCm is new enough for the HIP module.
 * @param {string | null} version
 * @returns {version is string}
 */
export function isRecentRocm(version) {
  return version !== null && version.localeCompare(MINIMUM, 'en', { numeric: true }) >= 0
}

/**
 * @param {string[]} names
 * @param {string | null} rocm
 */
function named(names, rocm) {
  return Object.fromEntries(names.map((name) => [name, rocm]))
}
