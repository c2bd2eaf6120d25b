import { describe, expect, it } from 'vitest'
import { markdownReport } from '../../../lib/cli/doctor/markdown.ts'
import { textReport } from '../../../lib/cli/doctor/text.ts'
import { plain } from '../../../lib/cli/style.ts'
import type { BackendInfo, GpuDevice, ProbeStage } from '../../../lib/index.ts'

const surroundings = { version: '9.9.9', node: 'v24.0.0', system: 'Debian 13, Linux 6.12, x64' }

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
  const text = (info: BackendInfo) => textReport(info, surroundings, plain)

  it('begins with the verdict, the reason and the advice', () => {
    expect(text(broken).split('\n').slice(0, 6)).toEqual([
      'The GPU is not used: transcriptions run on the CPU',
      'KFD_PERMISSION_DENIED: /dev/kfd belongs to the group render, and the user ann is not in it',
      '',
      'What to do',
      '  1. Add the user to the group: sudo usermod -aG render ann',
      '  2. Log in again',
    ])
  })

  it('says which GPU works, by the chip that it really is', () => {
    expect(text(works).split('\n')[0]).toBe(
      'The GPU works: transcriptions run on Radeon | RX *6750* (gfx1031, 0000:03:00.0)',
    )
    expect(text(works)).not.toContain('What to do')
  })

  it('shows every GPU with its real chip and the one that ROCm takes it for', () => {
    const rows = text(works).split('\n').slice(2)
    expect(rows.find((row) => row.includes('RX *6750*'))).toMatch(
      /^ {2}1 {2}Radeon \| RX \*6750\* {2}gfx1031 as gfx1030 {2}0000:03:00\.0 {2}12\.0 GiB {2}\? +discrete +OK$/,
    )
    expect(rows.find((row) => row.includes('Granite Ridge'))).toMatch(/gfx1036 {2,}.*NO_CODE_OBJECT_FOR_GPU$/)
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
    ).toBeLessThan(100)
  })

  it('shows libraries, build, environment and notes', () => {
    expect(text(works)).toContain('libamdhip64.so.7 is /opt/rocm/lib/libamdhip64.so.7')
    expect(text(works)).toContain('with HIP 7.2.0 for gfx1030, gfx1100')
    expect(text(works)).toContain('encoder hip, decoder hip, vad cpu, mel cpu')
    expect(text(works)).toContain('HSA_OVERRIDE_GFX_VERSION=10.3.0')
    expect(text(broken)).toContain('RENDER_NODE_DENIED: /dev/dri/renderD128 is closed too\n    - The same')
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
    expect(text(nothing)).toContain('not looked for: there is no HIP module')
    expect(text({ ...works, rocm: null })).toContain('no runtime was found for the HIP module')
    expect(text(nothing)).toContain('addon not loaded')
  })

  it('fits a screen when all is well', () => {
    expect(
      text({
        ...works,
        devices: [card],
        probe: { stages: [], cached: false, exit: 'code 0', stderr: 'noise' },
      }).split('\n').length,
    ).toBeLessThanOrEqual(40)
  })
})

describe('the report for a bug report', () => {
  it('does not tell the home folder, whatever other folders are called', () => {
    const info = {
      ...works,
      message: 'read /home/annabel/x and /home/ann',
      libraries: { ...works.libraries, cpu: '/home/anna/cpu.so' },
    }
    const text = markdownReport(info, surroundings, '/home/ann')
    expect(text).toContain('~/app/whisper_hip.node')
    expect(text).toContain('/home/annabel/x and ~')
    expect(text).toContain('/home/anna/cpu.so')
    expect(text).not.toMatch(/\/home\/ann(?!a)/)
  })

  it('leaves paths alone where the home folder is none', () => {
    for (const home of ['', '/']) expect(markdownReport(works, surroundings, home)).toContain('/home/ann/app')
  })

  it('escapes what would be markup', () => {
    const text = markdownReport(works, surroundings, '/root')
    expect(text).toContain('| 1 | Radeon \\| RX \\*6750\\* | gfx1031 as gfx1030 |')
    expect(text.match(/^### /gm)?.length).toBeGreaterThan(5)
  })

  it('cannot be broken out of by what it quotes', () => {
    const info = { ...works, environment: { HIP_VISIBLE_DEVICES: '```\n# Hello' } }
    expect(markdownReport(info, surroundings, '')).not.toContain('=```')
  })
})
