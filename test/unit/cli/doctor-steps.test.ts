import { describe, expect, it } from 'vitest'
import { preflight } from '../../../lib/backend/preflight/preflight.ts'
import { stepsOf } from '../../../lib/cli/doctor/steps.ts'
import type { BackendInfo, BackendNote } from '../../../lib/index.ts'
import { emptyMachine, healthyMachine, type MadeMachine } from '../../fixtures/sysroot.ts'

const COMPILE = 'Compile the GPU module: npx whisper-hip build --hip'
/** ROCm 6 is there, for which there is a package. */
const INSTALL = 'Install the GPU module: npm install @whisper-hip/linux-x64-rocm6-rdna3'
const LAST = 'See whether it works: npx whisper-hip doctor'

/** What the steps are made from. */
const infoOf = (parts: Partial<BackendInfo>) =>
  ({ active: 'cpu', notes: [], advice: [], installations: [], probe: null, ...parts }) as BackendInfo

/** The steps for a machine and a build without HIP. */
async function stepsFor(machine: MadeMachine, addon = true): Promise<string[]> {
  try {
    const found = await preflight({
      build: addon
        ? { message: 'ROCm was not found.', module: null, hipVersion: null, gpuTargets: [] }
        : null,
      environment: { WHISPER_HIP_SYSROOT: machine.folder },
    })
    return stepsOf(infoOf(found)).map(({ text }) => text)
  } finally {
    machine.dispose()
  }
}

/** Alice is in no group that matters; the tests may run as root. */
function outsideGroups(machine: MadeMachine): MadeMachine {
  return machine.user([1000]).fails('/dev/kfd', 'EACCES').fails('/dev/dri/renderD128', 'EACCES')
}

const withoutRocm = () => healthyMachine().remove('/opt/rocm-6.4.1').remove('/etc/ld.so.cache')

describe('the steps for a machine', () => {
  it('are all that is to be done, in the order in which it has to be done', async () => {
    const steps = await stepsFor(outsideGroups(withoutRocm()))
    expect(steps).toEqual([
      'Join the group, then log out and in again: sudo usermod -aG render alice',
      expect.stringMatching(/^Install ROCm/),
      COMPILE,
      LAST,
    ])
    expect(steps[1]).not.toMatch(/build/)
  })

  it('begin with the driver', async () => {
    const machine = withoutRocm()
      .remove('/sys/module/amdgpu')
      .remove('/sys/bus/pci/devices/0000:03:00.0')
      .remove('/sys/class/kfd')
      .remove('/dev')
      .gpu({ driver: null, gfx: null })
    const steps = await stepsFor(machine)
    expect(steps[0]).toBe('Load the driver: sudo modprobe amdgpu')
    expect(steps.slice(-3)).toEqual([expect.stringMatching(/^Install ROCm/), COMPILE, LAST])
  })

  it('do not install what is there', async () => {
    expect(await stepsFor(healthyMachine())).toEqual([INSTALL, LAST])
    expect(await stepsFor(outsideGroups(healthyMachine()))).toEqual([
      expect.stringMatching(/usermod/),
      INSTALL,
      LAST,
    ])
  })

  it('name two groups where the nodes belong to two', async () => {
    const machine = outsideGroups(healthyMachine()).file('/dev/dri/renderD128.gid', '44')
    expect(await stepsFor(machine)).toEqual([
      expect.stringMatching(/render alice/),
      expect.stringMatching(/video alice/),
      INSTALL,
      LAST,
    ])
  })

  it('install nothing where there is no GPU', async () => {
    const steps = await stepsFor(emptyMachine())
    expect(steps).toHaveLength(2)
    expect(steps.join()).not.toMatch(/install|build/i)
  })

  it('build the addon first where it is missing, also without a GPU', async () => {
    expect(await stepsFor(emptyMachine(), false)).toEqual([expect.stringMatching(/^Build it here/), LAST])
    expect(await stepsFor(outsideGroups(healthyMachine()), false)).toEqual([
      expect.stringMatching(/usermod/),
      expect.stringMatching(/^Build it here/),
      LAST,
    ])
  })
})

describe('the steps', () => {
  const note = (reason: string, ...advice: string[]) =>
    ({ reason, message: reason, advice }) as unknown as BackendNote

  it('are none where the GPU works, whatever was noticed', () => {
    const notes = [note('OTHER_GPU_WITHOUT_CODE_OBJECT', 'Set X'), note('KFD_PERMISSION_DENIED', 'Join')]
    expect(stepsOf(infoOf({ active: 'hip', reason: 'OK', notes }))).toEqual([])
  })

  it('are in the order of what needs what, whichever was found first', () => {
    const notes = [
      note('ROCBLAS_KERNELS_MISSING', 'kernels'),
      note('HIP_RUNTIME_MISSING', 'runtime', 'or this', 'or that', 'or these', 'or those'),
      note('RENDER_NODE_DENIED', 'group'),
      note('KFD_MISSING', 'device'),
      note('OTHER_GPU_WITHOUT_CODE_OBJECT', 'nothing'),
      note('AMDGPU_DRIVER_NOT_LOADED', 'driver'),
    ]
    const steps = stepsOf(infoOf({ reason: 'NO_CODE_OBJECT_FOR_GPU', advice: ['code'], notes }))
    expect(steps.map(({ text }) => text)).toEqual([
      'driver',
      'device',
      'group',
      'runtime',
      'code',
      'kernels',
      LAST,
    ])
    expect(steps[3]?.alternatives).toEqual(['or this', 'or that', 'or these'])
  })

  it('try again after a trial, without what was found of other GPUs', () => {
    const probe = { stages: [], cached: true, exit: 'code 0', stderr: '' }
    const advice = ['Update', 'This is the answer of an earlier trial. Try again']
    const notes = [note('RENDER_NODE_DENIED', 'Join'), note('GFX_OVERRIDE_INVALID', 'Unset it')]
    expect(stepsOf(infoOf({ reason: 'GPU_FAULT', probe, advice, notes }))).toEqual([
      { text: 'Unset it', alternatives: [] },
      { text: 'Update', alternatives: [] },
      { text: 'See whether it works: npx whisper-hip doctor --refresh', alternatives: [] },
    ])
  })

  it.each([
    'Install ROCm 6.1 or newer: sudo apt install x, then build again: npx whisper-hip build --hip',
    'Install ROCm 6.1 or newer: sudo apt install x, then: npx whisper-hip build --hip',
    'Install ROCm 6.1 or newer: sudo apt install x; then compile: npx whisper-hip build --hip',
    'Install ROCm 6.1 or newer: sudo apt install x',
  ])('say each thing once: %s', (line) => {
    expect(stepsOf(infoOf({ reason: 'NOT_COMPILED', advice: [line] })).map(({ text }) => text)).toEqual([
      'Install ROCm 6.1 or newer: sudo apt install x',
      COMPILE,
      LAST,
    ])
  })

  it('know reasons that they have no place for', () => {
    expect(stepsOf(infoOf({ reason: 'UNKNOWN', advice: ['Report it'] })).map(({ text }) => text)).toEqual([
      'Report it',
      LAST,
    ])
  })
})
