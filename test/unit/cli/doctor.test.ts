import { describe, expect, it } from 'vitest'
import type { Machine } from '../../../lib/cli/doctor/machine.ts'
import { markdownReport } from '../../../lib/cli/doctor/markdown.ts'
import { textReport } from '../../../lib/cli/doctor/text.ts'
import { plain } from '../../../lib/cli/style.ts'
import type { BackendInfo, GpuDevice, ProbeStage } from '../../../lib/index.ts'

const machine: Machine = {
  os: { name: 'Debian GNU/Linux 13 (trixie)', id: 'debian', version: '13' },
  kernel: '6.12.0-amd64',
  architecture: 'x64',
  node: 'v24.0.0',
  packages: { 'whisper-hip': '9.9.9' },
  container: null,
  rootless: false,
  wsl: null,
  user: { name: 'ann', uid: 1000, groups: [{ gid: 1000, name: 'ann' }] },
  deviceNodes: [
    {
      path: '/dev/kfd',
      mode: '0660',
      owner: 'root',
      group: { gid: 109, name: 'render' },
      member: false,
    },
  ],
  driver: { version: '6.12.0-amd64', origin: 'kernel' },
  firmware: [{ pciId: '0000:03:00.0', vbios: '113-X', versions: { mes: '0x80', vcn: '0x1' } }],
  cache: { folder: '/home/ann/.cache/whisper-hip', writable: true, problem: null },
  variables: { HSA_OVERRIDE_GFX_VERSION: '10.3.0' },
}
const found = (info: BackendInfo, more: Partial<Machine> = {}) => ({
  info,
  machine: { ...machine, ...more },
  run: null,
})

const card: GpuDevice = {
  index: 1,
  name: 'Radeon | RX *6750*',
  gfx: 'gfx1031',
  gfxEffective: 'gfx1030',
  pciId: '0000:03:00.0',
  integrated: false,
  memoryTotal: 12 * 2 ** 30,
  memoryFree: null,
  reason: 'OK',
}

const works: BackendInfo = {
  active: 'hip',
  reason: 'OK',
  message: 'The GPU is used',
  advice: [],
  notes: [],
  device: card,
  devices: [
    {
      ...card,
      index: 0,
      name: 'Granite Ridge',
      gfx: 'gfx1036',
      gfxEffective: 'gfx1036',
      integrated: true,
      reason: 'NO_CODE_OBJECT_FOR_GPU',
    },
    card,
  ],
  build: {
    hip: true,
    hipVersion: '7.2.0',
    gpuTargets: ['gfx1030', 'gfx1100'],
    whisperCpp: '1.9.1',
    ggml: '0.15.1',
    compiler: 'g++ 12',
    portable: false,
  },
  rocm: {
    runtimeVersion: '7.2.0',
    libraries: [{ soname: 'libamdhip64.so.7', path: '/opt/rocm/lib/libamdhip64.so.7' }],
  },
  installations: [
    {
      folder: '/opt/rocm-7.2.0',
      version: '7.2.0',
      runtime: '/opt/rocm-7.2.0/lib/libamdhip64.so.7',
      chosen: true,
      usable: true,
      problem: null,
    },
    {
      folder: '/opt/rocm-6.0.2',
      version: '6.0.2',
      runtime: '/opt/rocm-6.0.2/lib/libamdhip64.so.6',
      chosen: false,
      usable: false,
      problem: 'it is older than ROCm 6.1',
    },
  ],
  libraries: {
    addon: '/home/ann/app/whisper_hip.node',
    cpu: '/home/ann/app/cpu.so',
    hip: '/home/ann/app/hip.so',
  },
  environment: { HSA_OVERRIDE_GFX_VERSION: '10.3.0' },
  probe: {
    stages: [
      { name: 'mul_mat f16', milliseconds: 12.4, ok: true, error: 1.24e-7 },
      { name: 'norm', milliseconds: 2, ok: true },
      { name: 'get_rows', milliseconds: 1, ok: true, unsupported: true },
      { name: 'flash attention', milliseconds: 3, ok: false, problem: 'wrong numbers' },
    ],
    cached: true,
    exit: 'code 0',
    stderr: `${'line\n'.repeat(40)}the last words\n`,
  },
  components: { encoder: 'hip', decoder: 'hip', vad: 'cpu', mel: 'cpu' },
}

const broken: BackendInfo = {
  ...works,
  active: 'cpu',
  reason: 'KFD_PERMISSION_DENIED',
  message: '/dev/kfd belongs to the group render, and the user ann is not in it',
  advice: ['Add the user to the group: sudo usermod -aG render ann', 'Log in again'],
  notes: [
    { reason: 'RENDER_NODE_DENIED', message: '/dev/dri/renderD128 is closed too', advice: ['The same'] },
  ],
  device: null,
  probe: null,
}

describe('the report for a terminal', () => {
  const text = (info: BackendInfo, more: Partial<Machine> = {}) => textReport(found(info, more), plain)

  it('begins with the verdict, the reason and the advice', () => {
    expect(text(broken).split('\n').slice(0, 10)).toEqual([
      'The GPU is not used: transcriptions run on the CPU',
      'KFD_PERMISSION_DENIED: /dev/kfd belongs to the group render, and the user ann is',
      'not in it',
      '',
      'To use the GPU',
      '  1. Add the user to the group: sudo usermod -aG render ann',
      '     - Log in again',
      '  2. The same',
      '  3. See whether it works: npx whisper-hip doctor',
      '',
    ])
  })

  it('says which GPU works, by the chip that it really is', () => {
    expect(text(works).split('\n')[0]).toBe(
      'The GPU works: transcriptions run on Radeon | RX *6750* (gfx1031, 0000:03:00.0)',
    )
    expect(text(works)).not.toContain('To use the GPU')
  })

  it('shows every GPU with its real chip and the one that ROCm takes it for', () => {
    const lines = text(works).split('\n')
    expect(lines).toContain('  1: Radeon | RX *6750*, OK')
    expect(lines).toContain('     gfx1031 as gfx1030, 0000:03:00.0, discrete, 12.0 GiB, ? free')
    expect(lines).toContain('  0: Granite Ridge, NO_CODE_OBJECT_FOR_GPU')
    expect(text(works)).toMatch(/^ {5}gfx1036, .*integrated/m)
  })

  it('shows the trial, its stages, and that it is an earlier one', () => {
    const block =
      text(works)
        .split('\n\n')
        .find((part) => part.startsWith('Trial')) ?? ''
    expect(block.split('\n').slice(1)).toEqual([
      '  mul_mat f16 12 ms, norm 2 ms',
      '  largest error against the CPU: 1.2e-7',
      '  get_rows: not supported, would run on the CPU',
      '  flash attention FAILED after 3 ms: wrong numbers',
      '  ended: code 0; this is an earlier trial, --refresh tries again',
    ])
    expect(text(broken)).not.toContain('Trial')
  })

  it('shows many operations together, and of many that failed the first', () => {
    const operations = Array.from({ length: 30 }, (_, i) => ({ name: `mul_mat ${i}`, milliseconds: 2 }))
    const passed = operations.map((stage) => ({ ...stage, ok: true, error: 1e-9 }))
    const failed = operations.map((stage) => ({ ...stage, ok: false, problem: 'wrong numbers' }))
    const shown = (stages: readonly ProbeStage[]) =>
      text({ ...works, probe: { stages, cached: false, exit: 'code 0', stderr: '' } })
    expect(shown([{ name: 'library', milliseconds: 5, ok: true }, ...passed])).toContain(
      '  library 5 ms, 30 operations 60 ms\n',
    )
    const some = shown(failed)
    expect(some).toContain('  mul_mat 9 FAILED after 2 ms: wrong numbers\n  and 20 more: see --json\n')
    expect(some).not.toContain('mul_mat 10')
  })

  it('shows the end of what a trial wrote before it died, and breaks long lists', () => {
    const stages = Array.from({ length: 20 }, (_, i) => ({
      name: `stage ${i}`,
      milliseconds: 10,
      ok: i < 19,
    }))
    const stderr = `${'line\n'.repeat(40)}the last words\n`
    const info: BackendInfo = { ...works, probe: { stages, cached: false, exit: 'SIGABRT', stderr } }
    const lines = text(info).split('\n')
    expect(lines).toContain('  ended: SIGABRT')
    expect(lines.filter((line) => line.trim() === 'line')).toHaveLength(9)
    expect(lines).toContain('    the last words')
    expect(lines).toContain('  stage 19 FAILED after 10 ms')
    expect(
      Math.max(...lines.filter((line) => line.includes('stage')).map(({ length }) => length)),
    ).toBeLessThanOrEqual(80)
  })

  it('shows libraries, build, environment and notes', () => {
    expect(text(works)).toContain('libamdhip64.so.7')
    expect(text(works)).toContain('with HIP 7.2.0 for gfx1030, gfx1100')
    expect(text(works)).toContain('encoder hip, decoder hip, vad cpu, mel cpu')
    expect(text(works)).toContain('HSA_OVERRIDE_GFX_VERSION=10.3.0')
    expect(text(broken)).toContain('RENDER_NODE_DENIED: /dev/dri/renderD128 is closed too\n')
    const note = {
      reason: 'GFX_OVERRIDE_INVALID',
      message: 'It is not needed',
      advice: ['Unset it'],
    } as const
    expect(text({ ...works, notes: [note] })).toContain(
      'GFX_OVERRIDE_INVALID: It is not needed\n    - Unset it',
    )
  })

  it('shows every ROCm, which one the loader finds, and what is wrong with the others', () => {
    const lines = text(works).split('\n')
    expect(lines).toContain('  7.2.0 in /opt/rocm-7.2.0, the one that the loader finds, usable')
    expect(lines).toContain('  6.0.2 in /opt/rocm-6.0.2, not usable: it is older than ROCm 6.1')
    expect(text({ ...works, rocm: null, installations: [] })).toContain('ROCm\n  not found')
    expect(text({ ...works, rocm: null })).not.toContain('not found')
  })

  it('shows driver, firmware, device nodes and groups, and where the process runs', () => {
    const lines = text(works).split('\n')
    expect(lines).toContain('  driver amdgpu of the kernel 6.12.0-amd64')
    expect(lines).toContain('  firmware of 0000:03:00.0: VBIOS 113-X, mes 0x80')
    expect(lines).toContain('  /dev/kfd 0660, root:render, which this process is not in')
    expect(lines).toContain('  user ann, groups ann')
    expect(text(works)).not.toContain('container')
    const other = text(works, {
      container: 'podman',
      rootless: true,
      wsl: 2,
      driver: { version: '6.10.5', origin: 'package' },
      deviceNodes: [{ path: '/dev/kfd', mode: null, owner: null, group: null, member: false }],
      cache: { folder: '/x', writable: false, problem: 'EROFS' },
    }).split('\n')
    expect(other).toContain('  container: podman, in a user namespace')
    expect(other).toContain('  Windows Subsystem for Linux 2')
    expect(other).toContain('  driver amdgpu 6.10.5')
    expect(other).toContain('  /dev/kfd does not exist')
    expect(other).toContain('  cache /x, NOT WRITABLE: EROFS')
    expect(text(works, { driver: null })).toContain('amdgpu is not loaded')
  })

  it('keeps to 80 columns, but for what cannot be broken', () => {
    const long: BackendInfo = {
      ...broken,
      message: 'word '.repeat(60).trim(),
      advice: [
        `${'word '.repeat(40)}`.trim(),
        `Install it: sudo apt install ${'package '.repeat(12).trim()}`,
      ],
    }
    const lines = text(long).split('\n')
    expect(lines.filter(({ length }) => length > 80)).toEqual([
      `       sudo apt install ${'package '.repeat(12).trim()}`,
    ])
    expect(lines[lines.indexOf(`       sudo apt install ${'package '.repeat(12).trim()}`) - 1]).toBe(
      '     - Install it:',
    )
  })

  it('does not claim to have looked where it did not', () => {
    const nothing: BackendInfo = {
      ...broken,
      reason: 'NATIVE_MISSING',
      devices: [],
      build: null,
      rocm: null,
      environment: {},
      libraries: { addon: null, cpu: null, hip: null },
    }
    expect(text(nothing)).toContain('whisper-hip does not work here')
    expect(text(nothing)).toContain('addon not loaded')
  })

  it('fits a screen when all is well', () => {
    expect(
      text({
        ...works,
        devices: [card],
        probe: { stages: [], cached: false, exit: 'code 0', stderr: 'noise' },
      }).split('\n').length,
    ).toBeLessThanOrEqual(48)
  })
})

describe('the report for a bug report', () => {
  it('does not tell the home folder, whatever other folders are called', () => {
    const info = {
      ...works,
      message: 'read /home/annabel/x and /home/ann',
      libraries: { ...works.libraries, cpu: '/home/anna/cpu.so' },
    }
    const text = markdownReport(found(info), '/home/ann')
    expect(text).toContain('~/app/whisper_hip.node')
    expect(text).toContain('/home/annabel/x and ~')
    expect(text).toContain('/home/anna/cpu.so')
    expect(text).not.toMatch(/\/home\/ann(?!a)/)
    expect(text).toContain('user 1000, groups 1000')
    expect(text).not.toMatch(/\bann\b/)
  })

  it('leaves paths alone where the home folder is none', () => {
    for (const home of ['', '/']) expect(markdownReport(found(works), home)).toContain('/home/ann/app')
  })

  it('escapes what would be markup', () => {
    const text = markdownReport(found(works), '/root')
    const odd = markdownReport(found({ ...broken, message: 'a_b *c* | `d`', advice: ['Set X_Y_Z'] }), '')
    expect(odd).toContain('a\\_b \\*c\\* \\| \\`d\\`')
    expect(odd).toContain('1. Set X\\_Y\\_Z')
    expect(text.match(/^### /gm)?.length).toBeGreaterThan(5)
  })

  it('cannot be broken out of by what it quotes', () => {
    const machineWith = { variables: { HIP_VISIBLE_DEVICES: '```\n# Hello' } }
    expect(markdownReport(found(works, machineWith), '')).not.toContain('=```')
  })
})
