import { printable, type Sysroot } from './sysroot.ts'

/** Distributions that name their packages alike. */
export type Family = 'debian' | 'fedora' | 'rhel' | 'suse' | 'arch' | 'gentoo' | 'nixos' | 'alpine' | 'other'

export interface Distribution {
  family: Family
  /** E.g. `Debian GNU/Linux 13 (trixie)`. */
  name: string
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
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, key, value] = /^([A-Z_]+)=(.*)$/.exec(line.trim()) ?? []
    if (key !== undefined && value !== undefined) fields.set(key, value.replace(/^(["'])(.*)\1$/, '$2'))
  }
  const ids = [fields.get('ID') ?? '', ...(fields.get('ID_LIKE') ?? '').split(/\s+/)]
  const families = ids.map((id) => FAMILIES[id] ?? FAMILIES[id.split('-', 1)[0] ?? ''])
  return {
    family: families.find((family) => family !== undefined) ?? 'other',
    name: printable(fields.get('PRETTY_NAME') ?? fields.get('NAME') ?? '') || 'this distribution',
  }
}

/**
 * The command that installs what a HIP module needs at run time.
 * @param sonames what the module needs, e.g. `libamdhip64.so.6`: Debian has them in its packages' names
 */
export function installCommand({ family }: Distribution, sonames: readonly string[]): string | null {
  const command = COMMANDS[family]
  return typeof command === 'function' ? command(sonames) : command
}

/** AMD's own packages, with the names before ROCm 7.14. */
const AMD_PACKAGES = 'hip-runtime-amd rocblas hipblas'

const COMMANDS: Readonly<Record<Family, string | null | ((sonames: readonly string[]) => string | null)>> = {
  debian: debianCommand,
  fedora: 'sudo dnf install rocm-hip rocblas hipblas',
  rhel: `sudo dnf install ${AMD_PACKAGES}`,
  suse: `sudo zypper install ${AMD_PACKAGES}`,
  arch: `sudo pacman -S ${AMD_PACKAGES}`,
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
