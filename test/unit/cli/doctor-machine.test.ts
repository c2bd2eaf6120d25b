import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readMachine } from '../../../lib/cli/doctor/machine.ts'
import type { BackendInfo } from '../../../lib/index.ts'
import { healthyMachine, type MadeMachine } from '../../fixtures/sysroot.ts'

const CARD = '0000:03:00.0'
const PCI = `/sys/bus/pci/devices/${CARD}`
const info = {
  build: null,
  devices: [{ pciId: CARD }],
  environment: {},
} as unknown as BackendInfo

let machine: MadeMachine
let cache: string
beforeEach(() => {
  machine = healthyMachine()
  cache = mkdtempSync(join(tmpdir(), 'whisper-hip-doctor-'))
})
afterEach(() => {
  machine.dispose()
  chmodSync(cache, 0o700)
  rmSync(cache, { recursive: true })
})

const read = (environment: Record<string, string> = {}, about = info) =>
  readMachine(about, { WHISPER_HIP_SYSROOT: machine.folder, WHISPER_HIP_CACHE: cache, ...environment })

describe('the machine of a report', () => {
  it('has the operating system, the kernel, Node, and versions', () => {
    machine.file(
      '/etc/os-release',
      'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\nID=ubuntu\nVERSION_ID="24.04"\n',
    )
    const found = read({}, { ...info, build: { whisperCpp: '1.9.1', ggml: '0.15.1' } } as BackendInfo)
    expect(found).toMatchObject({
      os: { name: 'Ubuntu 24.04.1 LTS', id: 'ubuntu', version: '24.04' },
      kernel: '6.12.0-amd64',
      architecture: process.arch,
      node: process.version,
      packages: { 'whisper-hip': expect.stringMatching(/^\d+\./), 'whisper.cpp': '1.9.1', ggml: '0.15.1' },
    })
    machine.file('/proc/sys/kernel/osrelease', '6.14.1-custom\n').remove('/etc/os-release')
    expect(read()).toMatchObject({ kernel: '6.14.1-custom', os: { name: null, id: null, version: null } })
  })

  it('has the user, the groups, and whose the device nodes are', () => {
    machine.user([1000, 44]).mode('/dev/kfd', 0o600)
    expect(read()).toMatchObject({
      user: {
        name: 'alice',
        uid: 1000,
        groups: [
          { gid: 44, name: 'video' },
          { gid: 1000, name: 'alice' },
        ],
      },
      deviceNodes: [
        { path: '/dev/kfd', mode: '0600', group: { gid: 109, name: 'render' }, member: false },
        { path: '/dev/dri/renderD128', mode: '0660', group: { gid: 109, name: 'render' }, member: false },
      ],
    })
    machine.remove('/dev')
    expect(read().deviceNodes).toEqual([
      { path: '/dev/kfd', mode: null, owner: null, group: null, member: false },
    ])
  })

  it('has the driver, of the kernel or from elsewhere', () => {
    expect(read().driver).toEqual({ version: '6.12.0-amd64', origin: 'kernel' })
    machine.file('/sys/module/amdgpu/version', '6.10.5\n')
    expect(read().driver).toEqual({ version: '6.10.5', origin: 'package' })
    machine.remove('/sys/module/amdgpu')
    expect(read().driver).toBeNull()
  })

  it('has the firmware of each card, from where it can be read', () => {
    expect(read().firmware).toEqual([])
    machine
      .file(`${PCI}/vbios_version`, '113-D70201-XT\n')
      .file(`${PCI}/fw_version/mes_fw_version`, '0x00000083\n')
      .file(`${PCI}/fw_version/smc_fw_version`, '0x004e7d00\n')
    const versions = { mes: '0x00000083', smc: '0x004e7d00' }
    expect(read().firmware).toEqual([{ pciId: CARD, vbios: '113-D70201-XT', versions }])
  })

  it('has the firmware also by the names of cards, and from debugfs', () => {
    machine
      .file('/sys/class/drm/card1/device/vbios_version', '113-X\n')
      .file('/sys/class/drm/card1-DP-1/status', 'connected\n')
      .file('/sys/kernel/debug/dri/1/name', `amdgpu dev=${CARD} unique=${CARD}\n`)
      .file(
        '/sys/kernel/debug/dri/1/amdgpu_firmware_info',
        'VCE feature version: 0, firmware version: 0x00000000\nMES_KIQ feature version: 6, firmware version: 0x0000006c\nSMC feature version: 0, program: 0, firmware version: 0x004e7d00 (78.125.0)\n',
      )
    const versions = { vce: '0x00000000', mes_kiq: '0x0000006c', smc: '0x004e7d00' }
    expect(read().firmware).toEqual([{ pciId: CARD, vbios: '113-X', versions }])
    machine.fails('/sys/kernel/debug/dri/1/amdgpu_firmware_info', 'EACCES')
    expect(read().firmware).toEqual([{ pciId: CARD, vbios: '113-X', versions: {} }])
  })

  it('does not take the firmware of one card for that of another', () => {
    const other = '0000:0d:00.0'
    machine
      .file(`/sys/devices/pci0000:00/${other}/vbios_version`, '113-OTHER\n')
      .link('/sys/class/drm/card1/device', `../../../devices/pci0000:00/${other}`)
      .file('/sys/kernel/debug/dri/1/name', `amdgpu dev=${other} unique=${other}\n`)
      .file(
        '/sys/kernel/debug/dri/1/amdgpu_firmware_info',
        'MES feature version: 1, firmware version: 0x80\n',
      )
    const two = { ...info, devices: [{ pciId: CARD }, { pciId: other }] } as unknown as BackendInfo
    expect(read({}, two).firmware).toEqual([{ pciId: other, vbios: '113-OTHER', versions: { mes: '0x80' } }])
  })

  it.each([
    ['/.dockerenv', 'docker'],
    ['/run/.containerenv', 'podman'],
    ['/.flatpak-info', 'flatpak'],
  ])('tells by %s that it is in %s', (mark, container) => {
    expect(read().container).toBeNull()
    machine.file(mark)
    expect(read().container).toBe(container)
  })

  it('says whether answers can be kept in the cache', () => {
    expect(read().cache).toEqual({ folder: cache, writable: true, problem: null })
    const below = join(cache, 'not/yet/there')
    expect(read({ WHISPER_HIP_CACHE: below }).cache).toMatchObject({ folder: below, writable: true })
    writeFileSync(join(cache, 'file'), '')
    expect(read({ WHISPER_HIP_CACHE: join(cache, 'file') }).cache).toMatchObject({
      writable: false,
      problem: 'ENOTDIR',
    })
    expect(read({ WHISPER_HIP_CACHE: join(cache, 'file/below') }).cache).toMatchObject({
      writable: false,
      problem: 'ENOTDIR',
    })
    expect(read({ WHISPER_HIP_CACHE: '/proc/cannot' }).cache.writable).toBe(false)
    mkdirSync(join(cache, 'closed'), { mode: 0o500 })
    // Root may write everywhere.
    if (process.getuid?.() !== 0)
      expect(read({ WHISPER_HIP_CACHE: join(cache, 'closed/x') }).cache.problem).toBe('EACCES')
  })

  it('has the variables of this library, of ROCm and of the loader, and no others', () => {
    const set = {
      HIP_VISIBLE_DEVICES: '0',
      HSA_OVERRIDE_GFX_VERSION_1: '10.3.0',
      LD_LIBRARY_PATH: '/opt/rocm/lib',
      ROCBLAS_LAYER: '1',
      ROCM_PATH: '/opt/rocm',
      WHISPER_HIP_TRIAL_SECONDS: '30',
    }
    const others = { HF_TOKEN: 'secret', AWS_SECRET: 'x', PATH: '/bin', LD_DEBUG: 'all' }
    expect(read({ ...set, ...others }).variables).toEqual({
      ...set,
      WHISPER_HIP_CACHE: cache,
      WHISPER_HIP_SYSROOT: machine.folder,
    })
  })
})
