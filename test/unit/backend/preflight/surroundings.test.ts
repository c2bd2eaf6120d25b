import { describe, expect, it } from 'vitest'
import { readSurroundings } from '../../../../lib/backend/preflight/container.ts'
import { installCommand, readDistribution } from '../../../../lib/backend/preflight/distribution.ts'
import { readIdentity } from '../../../../lib/backend/preflight/identity.ts'
import { explainDenial } from '../../../../lib/backend/preflight/nodes.ts'
import { type FileStat, Sysroot } from '../../../../lib/backend/preflight/sysroot.ts'
import { emptyMachine, MadeMachine as Machine, type MadeMachine } from '../../../fixtures/sysroot.ts'
import { rootOf } from './made.ts'

const where = (machine: MadeMachine, environment: Record<string, string> = {}) =>
  readSurroundings(rootOf(machine), environment)

describe('readSurroundings', () => {
  it('finds nothing special on a plain machine', () => {
    expect(where(emptyMachine())).toEqual({
      container: null,
      rootless: false,
      wsl: null,
      selinux: false,
      seccomp: false,
      ownDevices: false,
      service: null,
    })
    expect(where(new Machine()).container).toBeNull()
  })

  it.each<[string, (machine: MadeMachine) => MadeMachine, Record<string, string>]>([
    ['docker', (machine) => machine.file('/.dockerenv'), {}],
    ['docker', (machine) => machine.file('/proc/1/cgroup', '5:devices:/docker/0123456789ab\n'), {}],
    ['podman', (machine) => machine.file('/run/.containerenv', 'engine="podman-5.0"\n'), {}],
    ['podman', (machine) => machine.file('/run/.containerenv').file('/.dockerenv'), {}],
    ['kubernetes', (machine) => machine.file('/.dockerenv'), { KUBERNETES_SERVICE_HOST: '10.0.0.1' }],
    ['kubernetes', (machine) => machine.file('/proc/1/cgroup', '0::/kubepods/besteffort/pod1\n'), {}],
    ['apptainer', (machine) => machine.directory('/.singularity.d'), {}],
    ['apptainer', (machine) => machine, { APPTAINER_CONTAINER: '/image.sif' }],
    ['snap', (machine) => machine, { SNAP: '/snap/app/1', SNAP_NAME: 'app' }],
    ['flatpak', (machine) => machine.file('/.flatpak-info'), {}],
    ['lxc', (machine) => machine, { container: 'lxc' }],
    ['nspawn', (machine) => machine.file('/run/systemd/container', 'systemd-nspawn\n'), {}],
    ['container', (machine) => machine, { container: 'oci' }],
  ])('recognises %s', (container, make, environment) => {
    expect(where(make(emptyMachine()), environment).container).toBe(container)
  })

  it('tells the two kinds of WSL', () => {
    const one = emptyMachine().file(
      '/proc/version',
      'Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)',
    )
    const two = emptyMachine().file(
      '/proc/version',
      'Linux version 6.6.87.2-microsoft-standard-WSL2 (root@x)',
    )
    expect([where(one).wsl, where(two).wsl]).toEqual([1, 2])
  })

  it('recognises a user namespace, SELinux and a service', () => {
    const machine = emptyMachine()
      .file('/proc/self/uid_map', '         0       1000          1\n')
      .file('/sys/fs/selinux/enforce', '1')
      .file('/proc/self/cgroup', '0::/system.slice/transcriber.service\n')
    expect(where(machine)).toMatchObject({ rootless: true, selinux: true, service: 'transcriber.service' })
    const session = '0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n'
    expect(where(emptyMachine().file('/proc/self/cgroup', session)).service).toBeNull()
  })
})

describe('readDistribution', () => {
  it.each([
    ['ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 24.04 LTS"', 'debian'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"', 'debian'],
    ['ID=fedora', 'fedora'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"', 'rhel'],
    ['ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"', 'suse'],
    ['ID=cachyos\nID_LIKE=arch', 'arch'],
    ['ID=alpine', 'alpine'],
    ['nonsense', 'other'],
  ])('%j is of the family %s', (text, family) => {
    expect(readDistribution(rootOf(new Machine().file('/etc/os-release', text))).family).toBe(family)
  })

  it('names the packages', () => {
    const sonames = ['libamdhip64.so.7', 'libhipblas.so.3', 'librocblas.so.5', 'libnuma.so.1']
    const command = (family: 'debian' | 'fedora' | 'arch' | 'alpine') =>
      installCommand({ family, rocm: '7.1' }, sonames)
    expect(command('debian')).toBe('sudo apt install libamdhip64-7 libhipblas3 librocblas5')
    expect(command('fedora')).toBe('sudo dnf install rocm-hip rocblas hipblas')
    expect(command('arch')).toContain('pacman')
    expect(command('alpine')).toBeNull()
    expect(installCommand({ family: 'debian', rocm: '7.1' }, [])).toBeNull()
  })
})

describe('readIdentity', () => {
  it('reads who the process is, and who its user could be', () => {
    const machine = emptyMachine()
      .user([1000, 44])
      .file('/etc/group', 'render:x:109:bob,alice\nvideo:x:44:\n')
    const identity = readIdentity(rootOf(machine), {})
    expect(identity).toMatchObject({ uid: 1000, user: 'alice', groups: new Set([1000, 44]) })
    expect(identity.groupName(109)).toBe('render')
    expect(identity.groupName(7)).toBeNull()
    expect([109, 44, 1000].map(identity.isListed)).toEqual([true, false, true])
  })

  it('reads the real process', () => {
    const identity = readIdentity(new Sysroot(), process.env)
    expect(identity.uid).toBe(process.geteuid?.())
    expect([...identity.groups]).toEqual(expect.arrayContaining(process.getgroups?.() ?? []))
  })
})

describe('explainDenial', () => {
  const stat = (mode: number, gid: number, uid = 0): FileStat => ({ kind: 'device', mode, uid, gid, size: 0 })
  const explain = (errno: string, node: FileStat | null, rootless = false, machine = emptyMachine()) =>
    explainDenial({ path: '/dev/kfd', errno, stat: node }, readIdentity(rootOf(machine.user([1000])), {}), {
      rootless,
    })

  it('names the group that is missing', () => {
    expect(explain('EACCES', stat(0o660, 109))).toMatchObject({
      text: 'it belongs to the group render (109) with mode 0660, and this process of alice is not in that group',
      situations: ['outside its group'],
      facts: { gid: '109', group: 'render', user: 'alice' },
    })
    expect(explain('EACCES', stat(0o660, 993)).facts).toMatchObject({ gid: '993', group: '993' })
  })

  it('sees that a new login would do', () => {
    const machine = emptyMachine().file('/etc/group', 'render:x:109:alice\n')
    expect(explain('EACCES', stat(0o660, 109), false, machine).situations).toContain('listed in its group')
  })

  it('never sends anybody into the group root', () => {
    expect(explain('EACCES', stat(0o660, 0)).situations).toEqual(['closed to groups'])
    expect(explain('EACCES', stat(0o600, 109)).situations).toEqual(['closed to groups'])
  })

  it('sees a security module behind a refusal that the bits do not explain', () => {
    expect(explain('EACCES', stat(0o666, 109)).situations).toEqual(['permitted'])
    expect(explain('EACCES', stat(0o600, 109, 1000)).situations).toEqual(['permitted'])
  })

  it('sees a device cgroup, and a group that a user namespace does not have', () => {
    expect(explain('EPERM', stat(0o666, 109)).situations).toEqual(['device cgroup'])
    const unmapped = explain('EACCES', stat(0o660, 65_534), true)
    expect(unmapped.situations).toEqual(['outside its group'])
    expect(unmapped.facts.gid).toBeUndefined()
  })
})
