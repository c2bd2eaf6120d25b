import { describe, expect, it } from 'vitest'
import { pinning, unpinned } from '../../../../lib/backend/pinned.ts'
import { meantEnvironment } from '../../../../lib/backend/preflight/blank-variables.ts'
import { pinned } from '../../../../lib/backend/preflight/visible-devices.ts'
import { elf } from '../../../fixtures/elf.ts'
import { emptyMachine, healthyMachine, type MadeMachine, rocmLibraries } from '../../../fixtures/sysroot.ts'
import { look, module } from './made.ts'

/** One card of another chip, and a module for some. */
function machineWith(gfx: number, kernels: string[]): MadeMachine {
  return healthyMachine()
    .remove('/opt/rocm-6.4.1')
    .rocm({ kernels })
    .remove('/sys/class/kfd/kfd/topology/nodes/1')
    .remove('/sys/bus/pci/devices/0000:03:00.0')
    .gpu({ gfx, name: 'Card' })
}

describe('blank variables', () => {
  it.each([
    'HSA_OVERRIDE_GFX_VERSION',
    'HSA_OVERRIDE_GFX_VERSION_0',
    'HSA_OVERRIDE_GFX_VERSION_1',
    'ROCBLAS_TENSILE_LIBPATH',
  ])('%s set to nothing is unset before HIP starts, and said', async (variable) => {
    for (const value of ['', ' ', '\n']) {
      const found = await look(healthyMachine(), { environment: { [variable]: value } })
      expect(found.reason).toBe('OK')
      expect(found.candidate?.pin).toEqual({ [variable]: null, ROCR_VISIBLE_DEVICES: '0' })
      expect(found.notes).toHaveLength(1)
      expect(found.notes[0]?.message).toContain(`${variable} is set to nothing`)
      expect(found.notes[0]?.advice[0]).toContain('Nothing has to be done')
      expect(found.environment[variable]).toBe(value)
    }
  })

  it('a blank one for the GPU leaves the one for all', async () => {
    const environment = { HSA_OVERRIDE_GFX_VERSION: '11.0.0', HSA_OVERRIDE_GFX_VERSION_1: '' }
    const found = await look(machineWith(110003, ['gfx1100']), { environment })
    expect(found).toMatchObject({ reason: 'OK', devices: [{ gfxEffective: 'gfx1100' }] })
    expect(found.candidate?.pin).toEqual({ HSA_OVERRIDE_GFX_VERSION_1: null, ROCR_VISIBLE_DEVICES: '0' })
  })

  it.each([
    'LD_LIBRARY_PATH',
    'ROCM_PATH',
    'HIP_PATH',
    'VIRTUAL_ENV',
    'CONDA_PREFIX',
    'WHISPER_HIP_LIBRARY',
    'HSA_ENABLE_SDMA',
  ])('%s set to nothing changes nothing', async (variable) => {
    for (const value of ['', ' '])
      expect(await look(healthyMachine(), { environment: { [variable]: value } })).toMatchObject({
        reason: 'OK',
        notes: [],
        candidate: { pin: { ROCR_VISIBLE_DEVICES: '0' } },
      })
  })

  it.each(['ROCR_VISIBLE_DEVICES', 'HIP_VISIBLE_DEVICES', 'CUDA_VISIBLE_DEVICES', 'GPU_DEVICE_ORDINAL'])(
    '%s set to nothing hides all, as AMD documents it',
    async (variable) => {
      for (const value of ['', ' ']) {
        const found = await look(healthyMachine(), { environment: { [variable]: value } })
        expect(found.reason).toBe('GPU_HIDDEN_BY_ENV')
        expect(found.advice[0]).toBe(
          `Unset ${variable}: set to nothing it hides every GPU (a compose file sets it so with an empty default)`,
        )
      }
    },
  )

  it('are unset in WSL too, where no GPU is chosen', async () => {
    const machine = emptyMachine()
      .file('/proc/version', 'Linux version 6.6.87.2-microsoft-standard-WSL2 (root@x)\n')
      .file('/dev/dxg')
      .rocm()
      .loaderCache(rocmLibraries())
      .file('/opt/rocm-6.4.1/lib/librocdxg.so', elf())
    const environment = { HSA_ENABLE_DXG_DETECTION: '1', HSA_OVERRIDE_GFX_VERSION: '' }
    expect(await look(machine, { environment })).toMatchObject({
      reason: 'OK',
      candidate: null,
      pin: { HSA_OVERRIDE_GFX_VERSION: null },
    })
  })

  it('are gone while HIP starts, and in the child that tries the GPU', () => {
    const pin = { HSA_OVERRIDE_GFX_VERSION: null, ROCR_VISIBLE_DEVICES: '0' }
    const environment = { HSA_OVERRIDE_GFX_VERSION: '', HOME: '/root' }
    expect(pinned(environment, pin)).toEqual({ HOME: '/root', ROCR_VISIBLE_DEVICES: '0' })
    expect(pinning(environment, pin)).toMatchObject(pin)
    expect(unpinned(environment)).toEqual(environment)
  })

  it('leaves the rest of the environment as it is', () => {
    const given = { HOME: '', A: 'b', HSA_OVERRIDE_GFX_VERSION: ' ', WHISPER_HIP_SYSROOT: '' }
    expect(meantEnvironment(given)).toEqual({
      environment: { HOME: '', A: 'b' },
      blank: ['HSA_OVERRIDE_GFX_VERSION'],
    })
  })
})

describe('an override that is off', () => {
  it.each<[number, string, string[], string]>([
    [110003, '11.0.2', ['gfx1100'], '11.0.0'],
    [110003, '11.0.1', ['gfx1100'], '11.0.0'],
    [110003, '11.5.1', ['gfx1100'], '11.0.0'],
    [100301, '10.3.1', ['gfx1030'], '10.3.0'],
    [100304, '10.3.4', ['gfx1030'], '10.3.0'],
    [110003, '10.3.0', ['gfx1100'], '11.0.0'],
    [110502, '11.5.3', ['gfx1150'], '11.5.0'],
    [110003, '11.0', ['gfx1100'], '11.0.0'],
    [100306, 'gfx1030', ['gfx1030'], '10.3.0'],
  ])('%i with %s', async (gfx, value, targets, right) => {
    const environment = { HSA_OVERRIDE_GFX_VERSION: value }
    const found = await look(machineWith(gfx, targets), { environment, module: module({ targets }) })
    expect(found.reason).not.toBe('OK')
    expect(found.advice.join('\n')).toContain(`HSA_OVERRIDE_GFX_VERSION=${right}`)
  })

  it('is to be unset where the module has code for the chip itself', async () => {
    for (const value of ['11.0.1', '11.0.2', '11.5.1']) {
      const environment = { HSA_OVERRIDE_GFX_VERSION: value }
      const found = await look(healthyMachine(), { environment })
      expect(found.reason).toBe('NO_CODE_OBJECT_FOR_GPU')
      expect(found.advice[0]).toContain('Unset HSA_OVERRIDE_GFX_VERSION')
    }
  })

  it('gets another value where rocBLAS has no kernels for it', async () => {
    const environment = { HSA_OVERRIDE_GFX_VERSION: '11.0.2' }
    const targets = ['gfx1100', 'gfx1102']
    const found = await look(machineWith(110003, ['gfx1100']), { environment, module: module({ targets }) })
    expect(found.reason).toBe('ROCBLAS_KERNELS_MISSING')
    expect(found.advice.join('\n')).toContain('HSA_OVERRIDE_GFX_VERSION=11.0.0')
  })
})
