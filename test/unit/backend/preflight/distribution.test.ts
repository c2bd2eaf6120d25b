import { describe, expect, it } from 'vitest'
import {
  archiveRocm,
  isRecentRocm,
  osReleaseFields,
} from '../../../../lib/backend/preflight/rocm-releases.mjs'
import { rocmAdvice } from '../../../../scripts/support/rocm-packages.mjs'
import { healthyMachine } from '../../../fixtures/sysroot.ts'
import { look, module } from './made.ts'

/** os-release of a distribution, the ROCm in its archive, and the start of the command that installs it. */
const DISTRIBUTIONS: [string, string, string | null, string | null][] = [
  ['Debian 11', 'ID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye', null, null],
  ['Debian 12', 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm', '5.2', null],
  ['Debian 13', 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie', '5.7', null],
  ['Debian forky', 'ID=debian\nVERSION_CODENAME=forky', '6.4', 'sudo apt install libamdhip64-6'],
  ['Debian sid', 'ID=debian', '6.4', 'sudo apt install libamdhip64-6'],
  ['Ubuntu 20.04', 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="20.04"', null, null],
  ['Ubuntu 22.04', 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy', null, null],
  ['Ubuntu 24.04', 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"', '5.7', null],
  ['Ubuntu 24.10', 'ID=ubuntu\nVERSION_ID="24.10"', '5.7', null],
  ['Ubuntu 25.04', 'ID=ubuntu\nVERSION_ID="25.04"', '5.7', null],
  ['Ubuntu 25.10', 'ID=ubuntu\nVERSION_ID="25.10"', '5.7', null],
  ['Ubuntu 26.04', 'ID=ubuntu\nVERSION_ID="26.04"', '7.1', 'sudo apt install libamdhip64-7'],
  ['Ubuntu 26.10', 'ID=ubuntu\nVERSION_ID="26.10"', '7.2', 'sudo apt install libamdhip64-7'],
  ['Mint 22', 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\nUBUNTU_CODENAME=noble', '5.7', null],
  ['LMDE 6', 'ID=linuxmint\nID_LIKE=debian\nVERSION_ID="6"\nDEBIAN_CODENAME=bookworm', '5.2', null],
  ['Kali', 'ID=kali\nID_LIKE=debian\nVERSION_ID="2026.1"\nVERSION_CODENAME=kali-rolling', null, null],
  ['Fedora 39', 'ID=fedora\nVERSION_ID=39', '5.7', null],
  ['Fedora 40', 'ID=fedora\nVERSION_ID=40', '6.0', null],
  ['Fedora 41', 'ID=fedora\nVERSION_ID=41', '6.2', 'sudo dnf install rocm-hip'],
  ['Fedora 42', 'ID=fedora\nVERSION_ID=42', '6.3', 'sudo dnf install rocm-hip'],
  ['Fedora 43', 'ID=fedora\nVERSION_ID=43', '6.4', 'sudo dnf install rocm-hip'],
  ['Fedora 44', 'ID=fedora\nVERSION_ID=44', '7.1', 'sudo dnf install rocm-hip'],
  ['a later Fedora', 'ID=fedora\nVERSION_ID=48', '10.0', 'sudo dnf install rocm-hip'],
  ['Nobara 42', 'ID=nobara\nID_LIKE="rhel centos fedora"\nVERSION_ID=42', '6.3', 'sudo dnf install rocm-hip'],
  ['RHEL 9', 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.6"', null, null],
  ['RHEL 10', 'ID="rhel"\nID_LIKE="centos fedora"\nVERSION_ID="10.1"', null, null],
  ['Rocky 9', 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"', null, null],
  [
    'Rocky 10.1',
    'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.1"',
    '6.4',
    'sudo dnf install epel-release && sudo dnf install rocm-hip',
  ],
  [
    'Alma 10.2',
    'ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.2"',
    '7.1',
    'sudo dnf install epel-release && sudo dnf install rocm-hip',
  ],
  ['Amazon Linux', 'ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"', null, null],
  [
    'Tumbleweed',
    'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\nVERSION_ID="20260901"',
    '6.4',
    'sudo zypper install rocm-hip-devel',
  ],
  ['Leap 15.6', 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"', null, null],
  ['Leap 16', 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="16.0"', null, null],
  ['SLES', 'ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.7"', null, null],
  ['Arch', 'ID=arch', '10.0', 'sudo pacman -S hip-runtime-amd'],
  ['CachyOS', 'ID=cachyos\nID_LIKE=arch', '10.0', 'sudo pacman -S hip-runtime-amd'],
  ['Gentoo', 'ID=gentoo\nVERSION_ID=2.17', '7.2', 'sudo emerge dev-util/hip'],
  ['NixOS 24.11', 'ID=nixos\nVERSION_ID="24.11"', '6.0', null],
  ['NixOS 25.11', 'ID=nixos\nVERSION_ID="25.11"', '6.4', 'nix-shell -p rocmPackages.clr'],
  ['Alpine', 'ID=alpine\nVERSION_ID=3.22.0', null, null],
  ['Void', 'ID=void', null, null],
  ['nothing', '', null, null],
]

const without = () => healthyMachine().remove('/opt').loaderCache([])
/** A module for the ROCm of an archive, or for another one. */
const moduleFor = (rocm: string | null) => {
  const six = rocm === null || rocm.startsWith('6')
  return module({
    needed: six ? ['libamdhip64.so.6', 'libhipblas.so.2'] : ['libamdhip64.so.7', 'libhipblas.so.3'],
  })
}

describe.each(DISTRIBUTIONS)('%s', (name, osRelease, rocm, command) => {
  it('has the ROCm that is known of it', () => {
    expect(archiveRocm(osReleaseFields(osRelease))).toBe(rocm)
    expect(isRecentRocm(rocm)).toBe(command !== null)
  })

  it('is told to take its own packages only where they are of use', async () => {
    const found = await look(without().file('/etc/os-release', osRelease), { module: moduleFor(rocm) })
    expect(found.reason).toBe('HIP_RUNTIME_MISSING')
    const advice = found.advice.join('\n')
    if (command === null)
      expect(advice).not.toMatch(/apt install|dnf install|zypper install|pacman|nix-shell/)
    else expect(found.advice[0]).toContain(`Install the libraries: ${command}`)
    if (name === 'Alpine') expect(advice).not.toContain('rocm.docs.amd.com')
    else expect(advice).toContain('https://rocm.docs.amd.com/projects/install-on-linux/')
  })

  it('is told the same by a build', () => {
    const advice = rocmAdvice(['headers', 'rocblas'], osRelease, false)
    const hasManager = command !== null && !/nix|emerge/.test(command)
    expect(advice.includes('Install with: sudo ')).toBe(hasManager)
    expect(advice).toContain('https://rocm.docs.amd.com/projects/install-on-linux/')
  })
})

describe('a module for another generation of ROCm than the archive', () => {
  it('is not helped by its packages, but by a build with them', async () => {
    const found = await look(
      without().file('/etc/os-release', 'ID=fedora\nVERSION_ID=44\nPRETTY_NAME="Fedora Linux 44"\n'),
    )
    const advice = found.advice.join('\n')
    expect(advice).not.toContain('dnf install')
    expect(advice).toContain('Or compile the module with the ROCm 7.1 of Fedora Linux 44')
    expect(advice).toContain('npx whisper-hip build --hip')
  })

  it('says that the archive is too old', async () => {
    const found = await look(
      without().file(
        '/etc/os-release',
        'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
      ),
    )
    expect(found.advice.join('\n')).toContain(
      'The packages of Debian GNU/Linux 12 (bookworm) itself do not help: they are ROCm 5.2',
    )
  })
})
