import { archiveRocm, distributionIds, isRecentRocm, osReleaseFields, takesEpel } from './rocm-releases.mjs'
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

/** Reads `/etc/os-release`. */
export function readDistribution(root: Sysroot): Distribution {
  const text = root.text('/etc/os-release') ?? root.text('/usr/lib/os-release') ?? ''
  const fields = osReleaseFields(text)
  const ids = distributionIds(fields)
  const families = ids.map((id) => FAMILIES[id] ?? FAMILIES[id.split('-', 1)[0] ?? ''])
  const family = families.find((family) => family !== undefined) ?? 'other'
  const rocm = archiveRocm(fields)
  return {
    // What is like RHEL and Fedora, and has an archive without EPEL, is made of Fedora.
    family: family === 'rhel' && rocm !== null && !takesEpel(fields) ? 'fedora' : family,
    name: printable(fields.get('PRETTY_NAME') ?? fields.get('NAME') ?? '') || 'this distribution',
    rocm,
  }
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
