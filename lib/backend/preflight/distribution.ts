import releases from './rocm-releases.json' with { type: 'json' }
import { printable, type Sysroot } from './sysroot.ts'

/** Distributions that name their packages alike. */
export type Family = 'debian' | 'fedora' | 'rhel' | 'suse' | 'arch' | 'gentoo' | 'nixos' | 'alpine' | 'other'

export interface Distribution {
  family: Family
  /** E.g. `Debian GNU/Linux 13 (trixie)`. */
  name: string
  /** Version of the ROCm in its own archive, such as `6.4`; null when there is none, or it is not known. */
  rocm: string | null
}

const FAMILIES: Readonly<Record<string, Family>> = {
  debian: 'debian',
  ubuntu: 'debian',
  fedora: 'fedora',
  rhel: 'rhel',
  centos: 'rhel',
  rocky: 'rhel',
  almalinux: 'rhel',
  ol: 'rhel',
  amzn: 'rhel',
  suse: 'suse',
  opensuse: 'suse',
  sles: 'suse',
  arch: 'arch',
  gentoo: 'gentoo',
  nixos: 'nixos',
  alpine: 'alpine',
}

/** Those that take ROCm from Fedora's EPEL. Red Hat's own and Oracle's are set up with AMD's packages. */
const WITH_EPEL = ['centos', 'rocky', 'almalinux']

/** AMD's page on how to install ROCm, as a message names it. */
export const GUIDE = releases.guide

type Fields = ReadonlyMap<string, string>

/** Reads `/etc/os-release`. */
export function readDistribution(root: Sysroot): Distribution {
  const text = root.text('/etc/os-release') ?? root.text('/usr/lib/os-release') ?? ''
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, key, value] = /^([A-Z_]+)=(.*)$/.exec(line.trim()) ?? []
    if (key !== undefined && value !== undefined) fields.set(key, value.replace(/^(["'])(.*)\1$/, '$2'))
  }
  const ids = idsOf(fields)
  const families = ids.map((id) => FAMILIES[id] ?? FAMILIES[id.split('-', 1)[0] ?? ''])
  return {
    family: families.find((family) => family !== undefined) ?? 'other',
    name: printable(fields.get('PRETTY_NAME') ?? fields.get('NAME') ?? '') || 'this distribution',
    rocm: rocmOf(ids, fields),
  }
}

function idsOf(fields: Fields): string[] {
  return [fields.get('ID') ?? '', ...(fields.get('ID_LIKE') ?? '').split(/\s+/)].filter(Boolean)
}

interface Archive {
  releases: Readonly<Record<string, string | null>>
  /** What a release has that is newer than those in the table, or has no number because it is always the newest. */
  later: string
}

/** The table is by releases' numbers and code names; a derived distribution says with its code name which one it is made of. */
function rocmOf(ids: readonly string[], fields: Fields): string | null {
  const [own = ''] = ids
  const table: Readonly<Record<string, Archive>> = releases.distributions
  const id = WITH_EPEL.includes(own) ? 'epel' : ids.find((name) => Object.hasOwn(table, name))
  const archive = table[id ?? '']
  if (archive === undefined || (id === 'fedora' && FAMILIES[own] === 'rhel')) return null
  const codenames = ['UBUNTU_CODENAME', 'DEBIAN_CODENAME', 'VERSION_CODENAME']
  const number = id === own || id === 'epel' || id === 'fedora' ? fields.get('VERSION_ID') : undefined
  const names = [...codenames.map((key) => fields.get(key)), number, number?.split('.', 1)[0]]
  const known = names.find((name) => name !== undefined && Object.hasOwn(archive.releases, name))
  if (known !== undefined) return archive.releases[known] ?? null
  const numbers = Object.keys(archive.releases).map(Number).filter(Number.isFinite)
  const isNewer = number === undefined || Number(number) > Math.max(...numbers)
  // A derived distribution with a code name of its own can be of any age.
  return isNewer && (id === own || numbers.length === 0) ? archive.later : null
}

/** Whether a release of ROCm is new enough for the HIP module. */
export function isRecentRocm(version: string | null): version is string {
  return version !== null && compareVersions(version, releases.minimum) >= 0
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

/**
 * The command that installs what a HIP module needs at run time from the distribution's archive.
 * @param sonames what the module needs, e.g. `libamdhip64.so.6`: Debian has them in its packages' names
 * @returns null where the archive has no ROCm, one that is too old, or one of another generation than the module
 */
export function installCommand(
  { family, rocm }: Pick<Distribution, 'family' | 'rocm'>,
  sonames: readonly string[],
): string | null {
  if (!isRecentRocm(rocm) || !fits(rocm, sonames)) return null
  const command = COMMANDS[family]
  return typeof command === 'function' ? command(sonames) : command
}

/** ROCm 6 has `libamdhip64.so.6`; 7 and later have `libamdhip64.so.7`. */
function fits(rocm: string, sonames: readonly string[]): boolean {
  const wanted = sonames.flatMap((soname) => /^libamdhip64\.so\.(\d+)$/.exec(soname)?.[1] ?? []).map(Number)
  return wanted.every((number) => number === Math.min(7, Number.parseInt(rocm, 10)))
}

const COMMANDS: Readonly<Record<Family, string | null | ((sonames: readonly string[]) => string | null)>> = {
  debian: debianCommand,
  fedora: 'sudo dnf install rocm-hip rocblas hipblas',
  rhel: 'sudo dnf install epel-release && sudo dnf install rocm-hip rocblas hipblas',
  suse: 'sudo zypper install rocm-hip-devel rocblas-devel hipblas-devel',
  arch: 'sudo pacman -S hip-runtime-amd rocblas hipblas',
  gentoo: 'sudo emerge dev-util/hip sci-libs/rocBLAS sci-libs/hipBLAS',
  nixos: 'nix-shell -p rocmPackages.clr rocmPackages.rocblas rocmPackages.hipblas',
  alpine: null,
  other: null,
}

/** Debian policy 8.1: name and version of the soname, with a hyphen after a digit. */
function debianCommand(sonames: readonly string[]): string | null {
  const packages = sonames.flatMap((soname) => {
    const [, name, version] = /^(lib(?:amdhip64|rocblas|hipblas))\.so\.(\d+)$/.exec(soname) ?? []
    return name === undefined ? [] : [`${name}${/\d$/.test(name) ? '-' : ''}${version}`]
  })
  return packages.length === 0 ? null : `sudo apt install ${packages.join(' ')}`
}

/** The command that installs the package of a file again; null for a file that no package manager of the system looks after. */
export function reinstallCommand({ family }: Pick<Distribution, 'family'>, path: string): string | null {
  if (/\/(site|dist)-packages\//.test(path)) return 'pip install --force-reinstall "rocm[libraries,devel]"'
  if (!/^\/(opt|usr|lib\w*)\//.test(path) || path.startsWith('/usr/local/')) return null
  switch (family) {
    case 'debian':
      return `sudo apt install --reinstall "$(dpkg -S ${path} | cut -d: -f1)"`
    case 'fedora':
    case 'rhel':
      return `sudo dnf reinstall "$(rpm -qf ${path})"`
    case 'suse':
      return `sudo zypper install --force "$(rpm -qf --qf '%{NAME}' ${path})"`
    case 'arch':
      return `sudo pacman -S "$(pacman -Qqo ${path})"`
    default:
      return null
  }
}
