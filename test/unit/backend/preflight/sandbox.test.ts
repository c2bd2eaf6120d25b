import { describe, expect, it } from 'vitest'
import { withoutModule } from '../../../../lib/backend/preflight/preflight.ts'
import { emptyMachine, healthyMachine, type MadeMachine } from '../../../fixtures/sysroot.ts'
import { keep, look } from './made.ts'

const SERVICE = '0::/system.slice/speech.service\n'
const OWN_DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

function withOwnDevices(machine: MadeMachine): MadeMachine {
  machine.remove('/dev')
  for (const name of OWN_DEVICES) machine.file(`/dev/${name}`)
  return machine
}

describe('a /dev without the devices', () => {
  it.each([
    ['with an own /dev', (machine: MadeMachine) => withOwnDevices(machine)],
    ['as far as can be seen', (machine: MadeMachine) => machine.remove('/dev')],
  ])('of a unit of systemd, %s', async (_, make) => {
    const found = await look(make(healthyMachine()).file('/proc/self/cgroup', SERVICE))
    expect(found.reason).toBe('KFD_MISSING')
    expect(found.message).toBe(
      '/dev/kfd does not exist: the unit speech.service has a /dev of its own without it (PrivateDevices=yes)',
    )
    expect(found.advice).toHaveLength(1)
    expect(found.advice[0]).toContain('systemctl edit speech.service')
    expect(found.advice[0]).toContain('PrivateDevices=no')
  })

  it('of a sandbox', async () => {
    const found = await look(withOwnDevices(healthyMachine()))
    expect(found.reason).toBe('KFD_MISSING')
    expect(found.message).toContain('bubblewrap')
    expect(found.advice).toHaveLength(1)
    expect(found.advice[0]).toContain('--dev-bind /dev/kfd /dev/kfd')
  })

  it('of a sandbox with /dev/kfd alone', async () => {
    const found = await look(withOwnDevices(healthyMachine()).file('/dev/kfd').mode('/dev/kfd', 0o666))
    expect(found.reason).toBe('RENDER_NODE_MISSING')
    expect(found.message).toContain('bubblewrap')
    expect(found.advice[0]).toContain('--dev-bind /dev/dri /dev/dri')
  })

  it('of a container is still that of a container, and a kernel without KFD one of the machine', async () => {
    expect((await look(withOwnDevices(healthyMachine()).file('/.dockerenv'))).message).toContain(
      'this container',
    )
    const bare = await look(
      healthyMachine().remove('/dev/kfd').remove('/sys/class/kfd').file('/dev/null').file('/dev/nvme0n1'),
    )
    expect(bare.message).toBe('/dev/kfd does not exist: the kernel has no KFD')
    expect(bare.advice[0]).toContain('CONFIG_HSA_AMD')
  })
})

describe('a device that is refused', () => {
  it('by the policy of a unit', async () => {
    const found = await look(healthyMachine().fails('/dev/kfd', 'EPERM').file('/proc/self/cgroup', SERVICE))
    expect(found.reason).toBe('KFD_PERMISSION_DENIED')
    expect(found.advice[0]).toContain('DeviceAllow=/dev/kfd rw')
    expect(found.advice[0]).toContain('DevicePolicy=')
  })

  it('perhaps by a filter of system calls', async () => {
    const machine = healthyMachine().user([1000, 109])
    const status = 'Name:\tnode\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nSeccomp:\t2\n'
    const found = await look(machine.file('/proc/self/status', status).fails('/dev/kfd', 'EPERM'))
    expect(found.advice.join('\n')).toContain('seccomp')
  })
})

describe('too many open files', () => {
  it.each([
    ['EMFILE', 'this process has'],
    ['ENFILE', 'the system has'],
  ])('%s', async (errno, who) => {
    const kfd = await look(healthyMachine().fails('/dev/kfd', errno))
    expect(kfd.reason).toBe('KFD_OPEN_FAILED')
    expect(kfd.message).toBe(`/dev/kfd cannot be opened: ${who} too many files open (${errno})`)
    expect(kfd.advice).toEqual([expect.stringContaining('ulimit -n')])
    const node = await look(healthyMachine().fails('/dev/dri/renderD128', errno))
    expect(node.reason).toBe('RENDER_NODE_DENIED')
    expect(node.message).toContain(`${who} too many files open (${errno})`)
    expect(node.advice).toEqual([expect.stringContaining('ulimit -n')])
    const sysfs = await look(healthyMachine().fails('/sys/bus/pci/devices', errno))
    expect(sysfs.reason).toBe('UNKNOWN')
    expect(sysfs.message).toBe(`The machine cannot be examined: ${who} too many files open (${errno})`)
    expect(sysfs.advice[0]).toContain('ulimit -n')
  })
})

describe('a hidden /sys', () => {
  it.each([
    ['empty', (machine: MadeMachine) => machine.remove('/sys').directory('/sys')],
    ['not mounted', (machine: MadeMachine) => machine.remove('/sys')],
  ])('that is %s', async (_, hide) => {
    const none = await look(hide(emptyMachine()))
    expect(none.reason).toBe('NO_AMD_GPU')
    expect(none.message).toContain('/sys is hidden from this process')
    expect(none.advice[0]).toContain('--ro-bind /sys /sys')
    const some = await look(hide(healthyMachine()))
    expect(some.reason).toBe('GPU_NOT_IN_KFD_TOPOLOGY')
    expect(some.message).toContain('/sys is hidden from this process')
    expect(some.advice).toEqual(none.advice.slice(0, 1))
  })
})

describe('AMDGPU_DRIVER_NOT_LOADED names what forbids the driver', () => {
  const idle = () => emptyMachine().gpu({ driver: null, name: 'Card' })

  it.each([
    'nomodeset',
    'amdgpu.modeset=0',
    'modprobe.blacklist=amdgpu',
    'modprobe.blacklist=nouveau,amdgpu',
    'module_blacklist=amdgpu',
    'rd.driver.blacklist=amdgpu',
  ])('%s on the command line of the kernel', async (word) => {
    const found = await look(
      idle().file('/proc/cmdline', `BOOT_IMAGE=/vmlinuz root=UUID=1 ro quiet ${word}\n`),
    )
    expect(found.reason).toBe('AMDGPU_DRIVER_NOT_LOADED')
    expect(found.message).toContain(`, which \`${word}\` (/proc/cmdline) forbids`)
    expect(found.advice[0]).toContain(`Take ${word} out of the kernel command line`)
    const byHand = found.advice.join('\n').includes('sudo modprobe amdgpu')
    expect(byHand).toBe(word.includes('.blacklist'))
  })

  it.each([
    ['/etc/modprobe.d/gpu.conf', 'blacklist amdgpu'],
    ['/usr/lib/modprobe.d/gpu.conf', 'blacklist  amdgpu'],
    ['/run/modprobe.d/gpu.conf', 'install amdgpu /bin/false'],
    ['/lib/modprobe.d/gpu.conf', 'install amdgpu /usr/bin/true'],
    ['/etc/modprobe.d/gpu.conf', 'options amdgpu modeset=0'],
  ])('%s with %j', async (path, line) => {
    const found = await look(idle().file(path, `# own\n\n${line}\n`).file('/proc/cmdline', 'quiet\n'))
    const text = line.replace(/\s+/g, ' ')
    expect(found.message).toContain(`\`${text}\` (${path}, line 3)`)
    expect(found.advice[0]).toContain(`Take the line \`${text}\` out of ${path}`)
    expect(found.advice.join('\n').includes('sudo modprobe amdgpu')).toBe(text.startsWith('blacklist'))
  })

  it('and not what is about others, or is hidden by another file', async () => {
    const machine = idle()
      .file('/proc/cmdline', 'quiet amdgpu.dc=1 modprobe.blacklist=nouveau amdgpu.modeset=1\n')
      .file('/etc/modprobe.d/a.conf', '# blacklist amdgpu\nblacklist radeon\noptions amdgpu dc=1\n')
      .file('/usr/lib/modprobe.d/a.conf', 'blacklist amdgpu\n')
      .file('/etc/modprobe.d/b.conf.bak', 'blacklist amdgpu\n')
    const found = await look(machine)
    expect(found.message).toBe(
      'No driver holds Card (0000:03:00.0): amdgpu is not loaded (there is no /sys/module/amdgpu)',
    )
    expect(found.advice[0]).toBe('Load the driver: sudo modprobe amdgpu')
  })

  it('also of a driver that is loaded and did not take the card', async () => {
    const found = await look(idle().directory('/sys/module/amdgpu').file('/proc/cmdline', 'nomodeset\n'))
    expect(found.message).toContain('did not take Card')
    expect(found.message).toContain('nomodeset')
  })
})

describe('UNSUPPORTED_GPU', () => {
  it.each([
    [80003, 'gfx803'],
    [80001, 'gfx801'],
    [70001, 'gfx701'],
    [80100, 'gfx810'],
  ])('%i', async (gfx, name) => {
    const card = () =>
      healthyMachine()
        .remove('/sys/class/kfd/kfd/topology/nodes/1')
        .remove('/sys/bus/pci/devices/0000:03:00.0')
        .gpu({ gfx, device: '0x67df', name: 'Card' })
    const found = await look(card())
    expect(found.reason).toBe('UNSUPPORTED_GPU')
    expect(found.message).toContain(`Card (0000:03:00.0), a ${name}`)
    expect(found.advice.join('\n')).not.toMatch(/build|modprobe|override/i)
    expect(found.devices[0]?.reason).toBe('UNSUPPORTED_GPU')
    const uncompiled = await look(card(), { module: null })
    expect(uncompiled).toMatchObject({ reason: 'UNSUPPORTED_GPU', notes: [{ reason: 'NOT_COMPILED' }] })
  })

  it('is told by the card where the kernel does not offer it for computing', async () => {
    for (const driver of ['amdgpu', 'radeon', null])
      expect((await look(emptyMachine().gpu({ device: '0x67df', gfx: null, driver }))).reason).toBe(
        'UNSUPPORTED_GPU',
      )
    for (const device of ['0x687f', '0x66af', '0x15d8'])
      expect((await look(emptyMachine().gpu({ device, gfx: null, driver: null }))).reason).toBe(
        'AMDGPU_DRIVER_NOT_LOADED',
      )
  })

  it('leaves the card beside it alone', async () => {
    const machine = healthyMachine().gpu({
      pciId: '0000:09:00.0',
      gfx: 80003,
      node: 2,
      minor: 129,
      memory: 2 ** 40,
    })
    expect(await look(machine)).toMatchObject({ reason: 'OK', candidate: { device: { gfx: 'gfx1100' } } })
  })
})

describe('without a HIP module', () => {
  const build = { message: 'ROCm was not found.', module: null, hipVersion: null, gpuTargets: [] }
  const say = (machine: MadeMachine) =>
    withoutModule(build, { WHISPER_HIP_SYSROOT: keep(machine).folder }).reason

  it('the quick answer and the thorough one agree', async () => {
    const polaris = () => emptyMachine().gpu({ device: '0x67df', gfx: 80003 })
    for (const make of [emptyMachine, polaris, healthyMachine, () => healthyMachine().remove('/dev/kfd')])
      expect(say(make())).toBe((await look(make(), { module: null })).reason)
    expect(say(emptyMachine())).toBe('NO_AMD_GPU')
    expect(say(healthyMachine())).toBe('NOT_COMPILED')
  })

  it('a WSL may have a GPU that cannot be seen', () => {
    expect(say(emptyMachine().file('/proc/version', 'Linux version 6.6-microsoft-standard-WSL2\n'))).toBe(
      'NOT_COMPILED',
    )
  })
})
