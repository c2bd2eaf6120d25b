import { writeFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { type Family, hipPackageName } from '../../../../lib/backend/hip-packages.mjs'
import { withoutModule } from '../../../../lib/backend/preflight/preflight.ts'
import { elf, HERE } from '../../../fixtures/elf.ts'
import {
  emptyMachine,
  GB,
  healthyMachine,
  type MadeMachine,
  rocmLibraries,
} from '../../../fixtures/sysroot.ts'
import { keep, type LookOptions, look, module } from './made.ts'

const packageOf = (rocm: number, family: Family) => hipPackageName('linux-x64', rocm, family)
const NO_MODULE = { message: 'ROCm was not found.', module: null, hipVersion: null, gpuTargets: [] }

/** A Ryzen with its GPU (gfx1036) beside the card of the healthy machine. */
function withIntegratedGpu(machine = healthyMachine()): MadeMachine {
  return machine.gpu({
    pciId: '0000:0d:00.0',
    device: '0x164e',
    gfx: 100306,
    node: 2,
    minor: 129,
    memory: GB / 2,
    name: 'AMD Radeon Graphics',
  })
}

/** One card of another chip, with kernels for it. */
function machineWith(gfx: number, kernels: string[]): MadeMachine {
  return healthyMachine()
    .remove('/opt/rocm-6.4.1')
    .rocm({ kernels })
    .remove('/sys/class/kfd/kfd/topology/nodes/1')
    .remove('/sys/bus/pci/devices/0000:03:00.0')
    .gpu({ gfx, name: 'Card' })
}

async function reasonOf(machine: MadeMachine, options: LookOptions = {}): Promise<string> {
  return (await look(machine, options)).reason
}

describe('a machine on which all is right', () => {
  it('has a candidate', async () => {
    const found = await look(healthyMachine())
    expect(found).toMatchObject({
      reason: 'OK',
      advice: [],
      notes: [],
      devices: [{ index: 0, gfx: 'gfx1100', gfxEffective: 'gfx1100', integrated: false, reason: 'OK' }],
      candidate: { device: { pciId: '0000:03:00.0' }, pin: { ROCR_VISIBLE_DEVICES: '0' } },
      rocm: { runtimeVersion: '6.4.1' },
      module: { targets: ['gfx1100', 'gfx1030'] },
    })
    expect(found.rocm?.libraries.map(({ path }) => path).sort()).toEqual(rocmLibraries().sort())
    expect(Object.keys(found.environment)).toEqual(['WHISPER_HIP_SYSROOT'])
  })

  it('is looked at in less than 100 ms, also on a slow machine', async () => {
    const machine = withIntegratedGpu()
    const path = module()
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 10; round++) {
      const start = performance.now()
      await look(machine, { module: path })
      best = Math.min(best, performance.now() - start)
    }
    expect(best).toBeLessThan(100)
  })

  it('is the same for a module named by WHISPER_HIP_LIBRARY in a build without HIP', async () => {
    const environment = { WHISPER_HIP_LIBRARY: module() }
    const found = await look(healthyMachine(), { module: null, environment })
    expect(found).toMatchObject({ reason: 'OK', environment })
  })
})

describe('build and packaging', () => {
  it('NOT_COMPILED repeats why, and the devices have their own reasons', async () => {
    const machine = withIntegratedGpu().fails('/dev/dri/renderD129', 'EACCES')
    const found = await look(machine, { module: null })
    expect(found.reason).toBe('NOT_COMPILED')
    const message = 'This build of whisper-hip has no HIP backend: ROCm was not found.'
    expect(found.message).toBe(`${message} The package ${packageOf(6, 'rdna3')} has it for this machine`)
    expect(found.advice.slice(0, 2)).toEqual([
      `Install the GPU module: npm install ${packageOf(6, 'rdna3')}`,
      expect.stringContaining('npx whisper-hip build --hip'),
    ])
    expect(found.devices.map(({ reason }) => reason)).toEqual(['NOT_COMPILED', 'RENDER_NODE_DENIED'])
    expect(found.candidate).toBeNull()
    expect(await look(emptyMachine(), { module: null })).toMatchObject({
      reason: 'NO_AMD_GPU',
      notes: [{ reason: 'NOT_COMPILED' }],
    })
  })

  it.each([
    [90010, 6, packageOf(6, 'cdna')],
    [100300, 7, packageOf(7, 'rdna2')],
    [110501, 6, packageOf(6, 'rdna35')],
    [120001, 7, packageOf(7, 'rdna4')],
    [90006, 6, null],
    [110000, 8, null],
  ])('NOT_COMPILED names the package for the chip %s and libamdhip64.so.%s', async (gfx, soname, name) => {
    const runtime = `/opt/rocm/lib/libamdhip64.so.${soname}`
    const machine = emptyMachine()
      .gpu({ gfx })
      .file(runtime, elf({ needed: ['libc.so.6'] }))
    const { message, advice } = await look(machine, { module: null })
    const told = [message, ...advice].join('\n').match(/@[\w/-]+/g)
    expect(told).toEqual(name === null ? null : [name, name])
    expect(withoutModule(NO_MODULE, { WHISPER_HIP_SYSROOT: machine.folder }).message).toBe(message)
  })

  it('names the package for the other GPU or ROCm where a package brought the module', async () => {
    const machine = () => emptyMachine().gpu({ gfx: 100300 }).rocm().loaderCache(rocmLibraries())
    const install = `Install the GPU module: npm install ${packageOf(6, 'rdna2')}`
    const adviceOf = async (needed: string[], name?: string) => {
      const path = module({ targets: ['gfx1100'], needed })
      const { notes, ...first } = await look(machine(), { module: path, package: name })
      return new Map([first, ...notes].map(({ reason, advice }) => [reason, advice[0]]))
    }
    const six = ['libamdhip64.so.6', 'libc.so.6']
    expect((await adviceOf(six, packageOf(6, 'rdna3'))).get('NO_CODE_OBJECT_FOR_GPU')).toBe(install)
    // What was compiled here goes before any package.
    expect((await adviceOf(six)).get('NO_CODE_OBJECT_FOR_GPU')).toMatch(/^Build for this chip/)
    const seven = ['libamdhip64.so.7', 'libc.so.6']
    const otherRocm = await adviceOf(seven, packageOf(7, 'rdna2'))
    expect(otherRocm.get('HIP_RUNTIME_VERSION_MISMATCH')).toBe(install)
  })

  it('BACKEND_LIBRARY_MISSING names the file and what is wrong with it', async () => {
    const text = module()
    writeFileSync(text, 'text')
    const other = module()
    writeFileSync(other, elf({ machine: HERE === 62 ? 183 : 62 }))
    const cut = module()
    writeFileSync(cut, elf({ needed: ['libx.so.1'] }).subarray(0, 200))
    for (const [path, problem] of [
      ['/nonexistent/libggml-hip.so', 'does not exist'],
      [text, 'is not a shared library'],
      [other, 'is not for this processor'],
      [cut, 'is damaged'],
    ] as const) {
      const found = await look(healthyMachine(), { module: path })
      expect(found.reason).toBe('BACKEND_LIBRARY_MISSING')
      expect(found.message).toContain(`The HIP module ${path} ${problem}`)
      expect(found.advice[0]).toContain('Build again')
    }
    const named = await look(healthyMachine(), { environment: { WHISPER_HIP_LIBRARY: '/nonexistent.so' } })
    expect(named.message).toBe(
      'The HIP module /nonexistent.so, which WHISPER_HIP_LIBRARY names, does not exist',
    )
    expect(named.advice[0]).toContain('Unset WHISPER_HIP_LIBRARY')
  })

  it('UNSUPPORTED_PLATFORM names operating system and processor', async () => {
    expect(await look(healthyMachine(), { platform: 'darwin', arch: 'arm64' })).toMatchObject({
      reason: 'UNSUPPORTED_PLATFORM',
      message: 'There is no ROCm for darwin on arm64',
    })
    expect(await reasonOf(healthyMachine(), { arch: 'riscv64', module: null })).toBe('UNSUPPORTED_PLATFORM')
  })

  it('UNKNOWN when the process has lost its working folder, which a relative path needs', async () => {
    const machine = healthyMachine()
    const cwd = vi.spyOn(process, 'cwd').mockImplementation(() => {
      throw new Error('ENOENT: uv_cwd')
    })
    const relative = await look(machine, { environment: { WHISPER_HIP_LIBRARY: 'libggml-hip.so' } })
    expect(relative).toMatchObject({
      reason: 'UNKNOWN',
      message: 'The machine cannot be examined: ENOENT: uv_cwd',
    })
    expect(relative.environment.WHISPER_HIP_LIBRARY).toBe('libggml-hip.so')
    expect(await reasonOf(machine, { environment: { LD_LIBRARY_PATH: 'here:' } })).toBe('OK')
    cwd.mockRestore()
  })

  it('UNKNOWN when the made machine is not there', async () => {
    const machine = keep(emptyMachine())
    machine.dispose()
    expect(await look(machine)).toMatchObject({
      reason: 'UNKNOWN',
      message: `WHISPER_HIP_SYSROOT=${JSON.stringify(machine.folder)} is not a folder`,
    })
  })
})

describe('kernel and device nodes', () => {
  it('NO_AMD_GPU', async () => {
    const found = await look(emptyMachine())
    expect(found).toMatchObject({ reason: 'NO_AMD_GPU', devices: [], candidate: null, notes: [] })
    expect(found.advice[0]).toContain('lspci')
  })

  it('AMDGPU_DRIVER_NOT_LOADED names the card and who holds it', async () => {
    const card = (driver: string | null) =>
      emptyMachine().gpu({ driver, name: 'Card' }).rocm().loaderCache(rocmLibraries())
    const none = await look(card(null))
    expect(none.reason).toBe('AMDGPU_DRIVER_NOT_LOADED')
    expect(none.message).toBe(
      'No driver holds Card (0000:03:00.0): amdgpu is not loaded (there is no /sys/module/amdgpu)',
    )
    expect(none.advice[0]).toContain('sudo modprobe amdgpu')
    expect(none.notes).toEqual([])

    const refused = await look(card(null).directory('/sys/module/amdgpu'))
    expect(refused.message).toBe('The driver amdgpu is loaded, but it did not take Card (0000:03:00.0)')
    expect(refused.advice.join()).not.toContain('sudo modprobe')

    const vfio = await look(card('vfio-pci').directory('/sys/module/amdgpu'))
    expect(vfio.reason).toBe('AMDGPU_DRIVER_NOT_LOADED')
    expect(vfio.message).toContain('held by the driver vfio-pci')
    expect(vfio.advice[0]).toContain('virtual machine')
    expect((await look(card('radeon'))).message).toContain('held by the driver radeon instead of amdgpu')
  })

  it('KFD_MISSING tells a kernel without KFD from a container', async () => {
    const missing = () => healthyMachine().remove('/dev/kfd')
    const kernel = await look(missing().remove('/sys/class/kfd'))
    expect(kernel).toMatchObject({
      reason: 'KFD_MISSING',
      message: '/dev/kfd does not exist: the kernel has no KFD',
      notes: [],
    })
    expect(kernel.advice[0]).toContain('CONFIG_HSA_AMD')

    const docker = await look(missing().remove('/dev/dri').file('/.dockerenv'))
    expect(docker.message).toBe('/dev/kfd does not exist: this container was not given the device')
    expect(docker.advice).toEqual(['Start the container with: --device /dev/kfd --device /dev/dri'])
    expect(docker.notes).toMatchObject([{ reason: 'RENDER_NODE_MISSING' }])
  })

  it.each<[string, (machine: MadeMachine) => MadeMachine, string]>([
    ['podman', (machine) => machine.file('/run/.containerenv'), '--group-add keep-groups'],
    ['kubernetes', (machine) => machine.directory('/var/run/secrets/kubernetes.io'), 'amd.com/gpu: 1'],
    ['apptainer', (machine) => machine.directory('/.singularity.d'), '--rocm'],
    ['flatpak', (machine) => machine.file('/.flatpak-info'), '--device=all'],
    ['lxc', (machine) => machine.file('/run/systemd/container', 'lxc'), 'lxc config device add'],
    ['nspawn', (machine) => machine.file('/run/systemd/container', 'systemd-nspawn'), 'DeviceAllow=/dev/kfd'],
    ['another container', (machine) => machine.file('/run/systemd/container', 'oci'), 'Give the container'],
  ])('KFD_MISSING has advice for %s', async (_, make, advice) => {
    const found = await look(make(healthyMachine().remove('/dev/kfd')))
    expect(found.reason).toBe('KFD_MISSING')
    expect(found.advice[0]).toContain(advice)
  })

  describe('KFD_PERMISSION_DENIED', () => {
    const denied = (errno = 'EACCES') => healthyMachine().user([1000]).fails('/dev/kfd', errno)

    it('names the group, and how to join it', async () => {
      const found = await look(denied())
      expect(found.reason).toBe('KFD_PERMISSION_DENIED')
      expect(found.message).toBe(
        '/dev/kfd may not be opened (EACCES): it belongs to the group render (109) with mode 0660, and this process of alice is not in that group',
      )
      expect(found.advice).toEqual([
        'Join the group, then log out and in again: sudo usermod -aG render alice',
      ])
      expect(found.devices[0]?.reason).toBe('KFD_PERMISSION_DENIED')
    })

    it('asks for a new login when /etc/group lists the user already', async () => {
      const found = await look(denied().file('/etc/group', 'render:x:109:alice\n'))
      expect(found.message).toContain('/etc/group has alice in it')
      expect(found.advice).toEqual([
        'Log out and in again: alice is already in the group render, but this process was started before that',
      ])
    })

    it('takes a made machine that does not say who the process is for one of a stranger', async () => {
      const machine = () => denied().remove('/proc/self/status')
      expect((await look(machine())).advice[0]).toContain('sudo usermod -aG render $USER')
      const environment = { USER: 'bob' }
      expect((await look(machine(), { environment })).advice[0]).toContain('sudo usermod -aG render bob')
      const listed = machine().file('/etc/group', 'render:x:109:bob\n')
      expect((await look(listed, { environment })).advice[0]).toContain('Log out and in again')
    })

    it('gives Docker the number of the group', async () => {
      const found = await look(denied().file('/.dockerenv').file('/etc/group', ''))
      expect(found.message).toContain('the group 109')
      expect(found.advice).toEqual(['Start the container with: --group-add 109'])
    })

    it('keeps the groups in rootless Podman', async () => {
      const machine = denied()
        .file('/run/.containerenv')
        .file('/dev/kfd.gid', '65534')
        .file('/proc/self/uid_map', '0 1000 1\n1 100000 65536\n')
      const found = await look(machine)
      expect(found.message).toContain('a group that this user namespace does not have')
      expect(found.advice[0]).toContain('--group-add keep-groups')
    })

    it('puts the group into the unit of a service', async () => {
      const machine = denied().file('/proc/self/cgroup', '0::/system.slice/speech.service\n')
      expect((await look(machine)).advice).toEqual([
        'Put the group into the unit speech.service: SupplementaryGroups=render (systemctl edit speech.service, then restart it)',
      ])
    })

    it('knows SELinux in a container', async () => {
      const machine = denied()
        .mode('/dev/kfd', 0o666)
        .file('/run/.containerenv')
        .file('/sys/fs/selinux/enforce', '1')
      const found = await look(machine)
      expect(found.message).toContain('would allow it')
      expect(found.advice[0]).toContain('setsebool -P container_use_devices 1')
    })

    it('knows the device cgroup', async () => {
      const found = await look(denied('EPERM').file('/.dockerenv'))
      expect(found.message).toContain('(EPERM): the device cgroup')
      expect(found.advice[0]).toContain('--device /dev/kfd')
    })
  })

  it('KFD_OPEN_FAILED names the error', async () => {
    for (const errno of ['EINVAL', 'ENOMEM', 'ENODEV']) {
      const found = await look(healthyMachine().fails('/dev/kfd', errno))
      expect(found.reason).toBe('KFD_OPEN_FAILED')
      expect(found.message).toContain(errno)
      expect(found.advice.length).toBeGreaterThan(0)
    }
    const mounted = await look(healthyMachine().remove('/dev/kfd').directory('/dev/kfd'))
    expect(mounted).toMatchObject({
      reason: 'KFD_OPEN_FAILED',
      message: '/dev/kfd cannot be opened (EISDIR): it is not the device of the driver',
    })
    expect(mounted.advice[0]).toContain('--device /dev/kfd instead of a volume')
  })

  it('RENDER_NODE_MISSING names the node', async () => {
    const found = await look(healthyMachine().remove('/dev/dri').file('/.dockerenv'))
    expect(found).toMatchObject({
      reason: 'RENDER_NODE_MISSING',
      message:
        '/dev/dri/renderD128, the render node of AMD Radeon RX 7900 XTX (0000:03:00.0), does not exist: this container was not given it',
    })
    expect(found.advice[0]).toContain('--device /dev/dri')
  })

  it('RENDER_NODE_DENIED names the node', async () => {
    const found = await look(healthyMachine().fails('/dev/dri/renderD128', 'EPERM'))
    expect(found.reason).toBe('RENDER_NODE_DENIED')
    expect(found.message).toContain('/dev/dri/renderD128')
    const lost = await look(healthyMachine().fails('/dev/dri/renderD128', 'EIO'))
    expect(lost.message).toContain('cannot be opened (EIO): the driver refuses')
    expect(lost.advice[0]).toContain('dmesg')
  })

  it('sees that a device cgroup hides the GPU in the topology', async () => {
    const hidden = () => healthyMachine().fails('/sys/class/kfd/kfd/topology/nodes/1/properties', 'EPERM')
    const denied = await look(hidden().file('/.dockerenv'))
    expect(denied.reason).toBe('RENDER_NODE_DENIED')
    expect(denied.message).toContain('nodes/1/properties cannot be read')
    expect(denied.advice[0]).toContain('--device /dev/dri/renderD128')
    expect(await reasonOf(hidden().remove('/dev/dri'))).toBe('RENDER_NODE_MISSING')
  })

  it('GPU_NOT_IN_KFD_TOPOLOGY names the card', async () => {
    const found = await look(healthyMachine().remove('/sys/class/kfd/kfd/topology/nodes/1'))
    expect(found.reason).toBe('GPU_NOT_IN_KFD_TOPOLOGY')
    expect(found.message).toContain('AMD Radeon RX 7900 XTX (0000:03:00.0)')
    expect(found.advice.join()).toContain('PCIe atomics')
  })
})

describe('WSL', () => {
  const wsl = () =>
    emptyMachine().file('/proc/version', 'Linux version 6.6.87.2-microsoft-standard-WSL2 (root@x)\n')
  const ready = () =>
    wsl().file('/dev/dxg').rocm().loaderCache(rocmLibraries()).file('/opt/rocm-6.4.1/lib/librocdxg.so')

  it('WSL_DXG_MISSING, without a word about KFD or groups', async () => {
    const found = await look(wsl())
    expect(found.reason).toBe('WSL_DXG_MISSING')
    expect(found.message).toContain('/dev/dxg')
    expect(found.advice.join()).not.toMatch(/kfd|usermod/)
    expect((await look(wsl().file('/.dockerenv'))).advice[0]).toContain('--device /dev/dxg')
    const first = emptyMachine().file('/proc/version', 'Linux version 4.4.0-19041-Microsoft\n')
    expect((await look(first)).advice[0]).toContain('wsl --set-version')
  })

  it('WSL_DXG_NOT_ENABLED tells the library from the variable', async () => {
    const library = await look(ready().remove('/opt/rocm-6.4.1/lib/librocdxg.so'))
    expect(library.reason).toBe('WSL_DXG_NOT_ENABLED')
    expect(library.message).toContain('librocdxg.so is not installed')
    const variable = await look(ready())
    expect(variable.reason).toBe('WSL_DXG_NOT_ENABLED')
    expect(variable.message).toContain('HSA_ENABLE_DXG_DETECTION is not set: ROCm 6.4.1')
    expect(variable.advice[0]).toBe('Set HSA_ENABLE_DXG_DETECTION=1 before Node starts')
  })

  it('passes with the variable, a ROCm that does not need it, or the old runtime', async () => {
    const environment = { HSA_ENABLE_DXG_DETECTION: '1' }
    expect(await look(ready(), { environment })).toMatchObject({ reason: 'OK', candidate: null })
    expect(await reasonOf(ready().file('/opt/rocm-6.4.1/.info/version', '7.14.0\n'))).toBe('OK')
    expect(await reasonOf(ready().file('/var/lib/dpkg/info/hsa-runtime-rocr4wsl-amdgpu.list'))).toBe('OK')
    const bare = wsl()
      .file('/dev/dxg')
      .file('/usr/lib/wsl/lib/librocdxg.so')
      .loaderCache(['/usr/lib/wsl/lib/librocdxg.so'])
    expect(await reasonOf(bare, { environment })).toBe('HIP_RUNTIME_MISSING')
  })
})

describe('selection and environment', () => {
  it.each([
    ['ROCR_VISIBLE_DEVICES', ''],
    ['ROCR_VISIBLE_DEVICES', '1'],
    ['HIP_VISIBLE_DEVICES', '-1'],
    ['CUDA_VISIBLE_DEVICES', '7'],
    ['GPU_DEVICE_ORDINAL', '1'],
  ])('GPU_HIDDEN_BY_ENV by %s=%j', async (variable, value) => {
    const found = await look(healthyMachine(), { environment: { [variable]: value } })
    expect(found.reason).toBe('GPU_HIDDEN_BY_ENV')
    expect(found.message).toContain(`${variable}=${JSON.stringify(value)} hides AMD Radeon RX 7900 XTX`)
    expect(found.advice[0]).toContain(`Unset ${variable}`)
    expect(found.environment[variable]).toBe(value)
  })

  it('chooses discrete before integrated, and more memory first', async () => {
    const machine = () =>
      withIntegratedGpu()
        .gpu({ pciId: '0000:01:00.0', gfx: 110000, node: 3, minor: 130, memory: 8 * GB, name: 'Small' })
        .gpu({ pciId: '0000:c1:00.0', gfx: 110000, node: 4, minor: 131, memory: 48 * GB, name: 'Large' })
    const best = await look(machine())
    expect(best.candidate).toMatchObject({ device: { name: 'Large' }, pin: { ROCR_VISIBLE_DEVICES: '3' } })
    const environment = { HIP_VISIBLE_DEVICES: '2,1' }
    const left = await look(machine(), { environment })
    expect(left.candidate).toMatchObject({
      device: { name: 'Small' },
      pin: { ROCR_VISIBLE_DEVICES: '2', HIP_VISIBLE_DEVICES: '0' },
    })
    // That the better one is left out is said.
    expect(left.notes[0]).toMatchObject({ reason: 'GPU_HIDDEN_BY_ENV' })
  })

  it.each<[number | string, string]>([
    [0, '0000:01:00.0'],
    [1, '0000:03:00.0'],
    ['1', '0000:03:00.0'],
    ['0000:01:00.0', '0000:01:00.0'],
    ['01:00.0', '0000:01:00.0'],
    ['small', '0000:01:00.0'],
    ['gfx1030', '0000:01:00.0'],
    ['7900', '0000:03:00.0'],
  ])('takes the device %j', async (device, pciId) => {
    const machine = healthyMachine()
      .gpu({ pciId: '0000:01:00.0', gfx: 100300, node: 3, minor: 130, name: 'Small card' })
      .file('/opt/rocm-6.4.1/lib/rocblas/library/TensileLibrary_lazy_gfx1030.dat')
    expect((await look(machine, { device })).candidate?.device.pciId).toBe(pciId)
  })

  it('never takes another device than the one that was asked for', async () => {
    const machine = withIntegratedGpu().fails('/dev/dri/renderD129', 'EPERM')
    const found = await look(machine, { device: 1 })
    expect(found).toMatchObject({ reason: 'RENDER_NODE_DENIED', candidate: null })
  })

  it('DEVICE_INDEX_OUT_OF_RANGE and DEVICE_NOT_FOUND list the devices', async () => {
    const index = await look(healthyMachine(), { device: 1 })
    expect(index).toMatchObject({
      reason: 'DEVICE_INDEX_OUT_OF_RANGE',
      message: 'The device 1 was asked for, and this machine has 1 AMD GPU',
    })
    expect(index.advice[0]).toBe('Choose one of 0: AMD Radeon RX 7900 XTX (0000:03:00.0)')
    const name = await look(healthyMachine(), { device: 'geforce' })
    expect(name.reason).toBe('DEVICE_NOT_FOUND')
    expect(name.message).toContain('"geforce"')
    expect(await reasonOf(healthyMachine(), { device: '0000:99:00.0' })).toBe('DEVICE_NOT_FOUND')
    expect(await reasonOf(healthyMachine(), { device: ' ' })).toBe('DEVICE_NOT_FOUND')
    expect(await reasonOf(emptyMachine(), { device: 0 })).toBe('NO_AMD_GPU')
  })

  it('GFX_OVERRIDE_INVALID refuses what is malformed or of another family', async () => {
    for (const value of ['0', '11.0', 'gfx1100']) {
      const found = await look(healthyMachine(), { environment: { HSA_OVERRIDE_GFX_VERSION: value } })
      expect(found.reason).toBe('GFX_OVERRIDE_INVALID')
      expect(found.message).toContain(`HSA_OVERRIDE_GFX_VERSION=${JSON.stringify(value)}`)
    }
    const crossing = await look(healthyMachine(), { environment: { HSA_OVERRIDE_GFX_VERSION: '10.3.0' } })
    expect(crossing).toMatchObject({
      reason: 'GFX_OVERRIDE_INVALID',
      devices: [{ gfx: 'gfx1100', gfxEffective: 'gfx1030' }],
    })
    expect(crossing.message).toContain('a gfx1100, for a gfx1030')
    expect(crossing.advice[0]).toBe('Unset HSA_OVERRIDE_GFX_VERSION')
  })

  it('suggests the right override instead', async () => {
    const machine = machineWith(110003, ['gfx1100'])
    const found = await look(machine, { environment: { HSA_OVERRIDE_GFX_VERSION: '10.3.0' } })
    expect(found.reason).toBe('GFX_OVERRIDE_INVALID')
    expect(found.advice.join()).toContain('HSA_OVERRIDE_GFX_VERSION=11.0.0')
  })

  it('a malformed variable of one node stops all', async () => {
    const environment = { HSA_OVERRIDE_GFX_VERSION_2: 'x' }
    const found = await look(withIntegratedGpu(), { environment })
    expect(found.reason).toBe('GFX_OVERRIDE_INVALID')
    expect(found.message).toContain('HSA_OVERRIDE_GFX_VERSION_2')
  })

  it('accepts a right override, and notes one that is not needed', async () => {
    const environment = { HSA_OVERRIDE_GFX_VERSION: '10.3.0' }
    const needed = await look(machineWith(100301, ['gfx1030']), { environment })
    expect(needed).toMatchObject({ reason: 'OK', notes: [], devices: [{ gfxEffective: 'gfx1030' }] })
    const targets = ['gfx1030', 'gfx1031']
    const spare = await look(machineWith(100301, ['gfx1030']), { environment, module: module({ targets }) })
    expect(spare).toMatchObject({ reason: 'OK', notes: [{ reason: 'GFX_OVERRIDE_INVALID' }] })
    expect(spare.notes[0]?.message).toContain('is not needed')
  })

  it('NO_CODE_OBJECT_FOR_GPU lists the chips, and how to get this one', async () => {
    const found = await look(machineWith(110003, ['gfx1100']))
    expect(found.reason).toBe('NO_CODE_OBJECT_FOR_GPU')
    expect(found.message).toBe(
      'The HIP module has code for gfx1100, gfx1030, not for gfx1103, the chip of Card (0000:03:00.0)',
    )
    expect(found.advice).toEqual([
      'Build for this chip: npx whisper-hip build --hip --targets gfx1103',
      'Or use the code of a similar chip: HSA_OVERRIDE_GFX_VERSION=11.0.0',
    ])
  })

  it('blames an override that leads away from the code', async () => {
    const environment = { HSA_OVERRIDE_GFX_VERSION: '11.0.2' }
    const found = await look(healthyMachine(), { environment })
    expect(found.reason).toBe('NO_CODE_OBJECT_FOR_GPU')
    expect(found.message).toContain('not for gfx1102, for which HSA_OVERRIDE_GFX_VERSION=11.0.2')
    expect(found.advice[0]).toContain('Unset HSA_OVERRIDE_GFX_VERSION')
  })

  it('trusts the build report where the module does not tell its chips', async () => {
    const compressed = module({ targets: [] })
    const options = { module: compressed, gpuTargets: ['gfx1030'] }
    expect(await reasonOf(healthyMachine(), options)).toBe('NO_CODE_OBJECT_FOR_GPU')
    expect(await reasonOf(healthyMachine(), { module: compressed })).toBe('OK')
  })

  it('OTHER_GPU_WITHOUT_CODE_OBJECT is a note: the other GPU is made invisible', async () => {
    const found = await look(withIntegratedGpu())
    expect(found).toMatchObject({
      reason: 'OK',
      candidate: { pin: { ROCR_VISIBLE_DEVICES: '0' } },
      notes: [{ reason: 'OTHER_GPU_WITHOUT_CODE_OBJECT' }],
    })
    expect(found.notes[0]?.message).toContain('AMD Radeon Graphics (0000:0d:00.0), a gfx1036')
    expect(found.devices.map(({ reason }) => reason)).toEqual(['OK', 'NO_CODE_OBJECT_FOR_GPU'])
    const hidden = await look(withIntegratedGpu(), { environment: { ROCR_VISIBLE_DEVICES: '0' } })
    expect(hidden.notes).toEqual([])
  })
})

describe('the ROCm runtime', () => {
  it('HIP_RUNTIME_MISSING names the libraries, and the packages of the distribution', async () => {
    const machine = () => healthyMachine().remove('/opt').loaderCache([])
    const debian = await look(machine())
    expect(debian.reason).toBe('HIP_RUNTIME_MISSING')
    expect(debian.message).toContain('libamdhip64.so.6, libhipblas.so.2')
    expect(debian.advice[0]).toBe('Install the libraries: sudo apt install libamdhip64-6 libhipblas2')
    const fedora = await look(machine().file('/etc/os-release', 'ID=fedora\nVERSION_ID=43\n'))
    expect(fedora.advice[0]).toContain('sudo dnf install rocm-hip')
    const image = await look(machine().file('/.dockerenv'))
    expect(image.advice[0]).toContain('image')
    const alpine = await look(machine().file('/etc/os-release', 'ID=alpine\n'))
    expect(alpine.advice[0]).toContain('musl')
  })

  it('HIP_RUNTIME_MISSING names the package beside the runtime, which may be of a newer release', async () => {
    const folder = '/usr/lib/x86_64-linux-gnu'
    const machine = healthyMachine()
      .remove('/opt')
      .file(`${folder}/libamdhip64.so.7.2.53211`, elf({ needed: ['libc.so.6'] }))
      .link(`${folder}/libamdhip64.so.7`, 'libamdhip64.so.7.2.53211')
      .file('/etc/os-release', 'ID=debian\nVERSION_CODENAME=forky\n')
      .loaderCache([`${folder}/libamdhip64.so.7`])
    const needed = ['libamdhip64.so.7', 'libhipblas.so.3', 'libc.so.6']
    const found = await look(machine, { module: module({ needed }) })
    expect(found.message).toContain('does not find libhipblas.so.3')
    expect(found.advice[0]).toBe('Install the libraries: sudo apt install libamdhip64-7 libhipblas3')
  })

  it('HIP_RUNTIME_MISSING shows where the libraries are', async () => {
    const found = await look(healthyMachine().loaderCache([]))
    expect(found.reason).toBe('HIP_RUNTIME_MISSING')
    expect(found.message).toBe(
      'The loader does not find libamdhip64.so.6, which the HIP module needs, although it is in /opt/rocm-6.4.1/lib',
    )
    expect(found.advice[0]).toContain('export LD_LIBRARY_PATH=/opt/rocm-6.4.1/lib')
    const stale = await look(
      healthyMachine().loaderCache([]).file('/etc/ld.so.conf', '/opt/rocm-6.4.1/lib\n'),
    )
    expect(stale.advice[0]).toContain('sudo ldconfig')
    const environment = { LD_LIBRARY_PATH: '/opt/rocm-6.4.1/lib' }
    expect(await reasonOf(healthyMachine().loaderCache([]), { environment })).toBe('OK')
  })

  it('HIP_RUNTIME_VERSION_MISMATCH names both versions', async () => {
    const machine = healthyMachine().remove('/opt').file('/opt/rocm/lib/libamdhip64.so.7').loaderCache([])
    const found = await look(machine)
    expect(found.reason).toBe('HIP_RUNTIME_VERSION_MISMATCH')
    expect(found.message).toBe(
      'The HIP module, built with HIP 6.4.1, needs libamdhip64.so.6, and this machine has /opt/rocm/lib/libamdhip64.so.7',
    )
    expect(found.advice).toContain('Or install the ROCm that it was built with (HIP 6.4.1)')
  })

  it('HIP_RUNTIME_VERSION_MISMATCH finds parts of two releases', async () => {
    const machine = healthyMachine()
      .file('/opt/rocm-6.4.1/lib/librocblas.so.4', elf({ needed: ['libamdhip64.so.5'] }))
      .file('/usr/lib/libamdhip64.so.5')
    const found = await look(machine)
    expect(found.reason).toBe('HIP_RUNTIME_VERSION_MISMATCH')
    expect(found.message).toContain('libamdhip64.so.5, which /opt/rocm-6.4.1/lib/librocblas.so.4 needs')
    expect(found.advice[0]).toContain('LD_LIBRARY_PATH')
  })

  it('ROCBLAS_KERNELS_MISSING lists what there is', async () => {
    const targets = ['gfx1103', 'gfx1100']
    const found = await look(machineWith(110003, ['gfx1100', 'gfx90a']), { module: module({ targets }) })
    expect(found.reason).toBe('ROCBLAS_KERNELS_MISSING')
    expect(found.message).toContain('no kernels for gfx1103')
    expect(found.message).toContain('/opt/rocm-6.4.1/lib/rocblas/library: there are some for gfx90a, gfx1100')
    expect(found.advice[0]).toContain('HSA_OVERRIDE_GFX_VERSION=11.0.0')
    expect(found.advice.at(-1)).toContain('amdrocm-blas-gfx1103')
  })

  it('ROCBLAS_KERNELS_MISSING names the variable that leads astray', async () => {
    const environment = { ROCBLAS_TENSILE_LIBPATH: '/opt/none' }
    const found = await look(healthyMachine(), { environment })
    expect(found.reason).toBe('ROCBLAS_KERNELS_MISSING')
    expect(found.message).toContain(
      '/opt/none, which ROCBLAS_TENSILE_LIBPATH names: the folder does not exist',
    )
    expect(found.advice[0]).toContain('Unset ROCBLAS_TENSILE_LIBPATH')
  })

  it('asks nothing of ROCm for a module that does not need it', async () => {
    const found = await look(healthyMachine().remove('/opt'), { module: module({ needed: ['libc.so.6'] }) })
    expect(found).toMatchObject({ reason: 'OK', rocm: null })
  })
})

describe('several problems at once', () => {
  it('the first to be solved is the reason, the others are notes', async () => {
    const machine = healthyMachine().remove('/opt').loaderCache([]).fails('/dev/kfd', 'EPERM')
    const environment = { HIP_VISIBLE_DEVICES: '-1' }
    const found = await look(machine, { environment })
    expect(found.reason).toBe('KFD_PERMISSION_DENIED')
    expect(found.notes.map(({ reason }) => reason)).toEqual(['GPU_HIDDEN_BY_ENV', 'HIP_RUNTIME_MISSING'])
  })
})
