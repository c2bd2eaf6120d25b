import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { backendInfo } from '../../lib/backend/info.ts'
import { applyPolicy } from '../../lib/backend/policy.ts'
import { emptyMachine, healthyMachine, type MadeMachine, makeModule } from '../fixtures/sysroot.ts'

let machine: MadeMachine | undefined
let module: string | undefined

afterEach(() => {
  vi.unstubAllEnvs()
  machine?.dispose()
  if (module !== undefined) rmSync(dirname(module), { recursive: true })
  machine = undefined
  module = undefined
})

function standIn(made: MadeMachine, library?: string): void {
  machine = made
  vi.stubEnv('WHISPER_HIP_SYSROOT', made.folder)
  module = library
  if (library !== undefined) vi.stubEnv('WHISPER_HIP_LIBRARY', library)
}

describe('backendInfo', () => {
  it('shows the devices of the machine, and the variables that lead elsewhere', async () => {
    standIn(healthyMachine())
    const info = await backendInfo()
    expect(info.active).toBe('cpu')
    expect(info.devices).toMatchObject([{ pciId: '0000:03:00.0', gfx: 'gfx1100', reason: info.reason }])
    expect(info.environment).toMatchObject({ WHISPER_HIP_SYSROOT: machine?.folder })
    expect(info.libraries.addon).toBe(addon().path)
    if (!addon().report.hip.built) expect(info).toMatchObject({ reason: 'NOT_COMPILED', rocm: null })
  })

  it('takes the reason from the machine when there is a HIP module', async () => {
    standIn(healthyMachine().fails('/dev/kfd', 'EACCES'), makeModule())
    expect(await backendInfo()).toMatchObject({
      active: 'cpu',
      reason: 'KFD_PERMISSION_DENIED',
      devices: [{ reason: 'KFD_PERMISSION_DENIED' }],
      environment: { WHISPER_HIP_LIBRARY: module },
    })
  })

  it('does not claim a GPU whose module the loader refuses', async () => {
    standIn(healthyMachine(), makeModule())
    expect(await backendInfo()).toMatchObject({
      active: 'cpu',
      reason: 'BACKEND_LIBRARY_MISSING',
      device: null,
      devices: [{ reason: 'BACKEND_LIBRARY_MISSING' }],
      probe: {
        stages: [
          { name: 'cpu', ok: true },
          { name: 'library', ok: false },
        ],
        cached: false,
        exit: 'code 0',
      },
      rocm: { runtimeVersion: '6.4.1' },
    })
  })
})

describe('applyPolicy', () => {
  it('refuses to run without the GPU that was asked for, with reason and advice', async () => {
    standIn(healthyMachine(), makeModule())
    await expect(applyPolicy('hip', 3)).rejects.toMatchObject({
      code: 'ERR_BACKEND_UNAVAILABLE',
      reason: 'DEVICE_INDEX_OUT_OF_RANGE',
      advice: ['Choose one of 0: AMD Radeon RX 7900 XTX (0000:03:00.0)', expect.any(String)],
    })
  })

  it('looks at nothing for the CPU', async () => {
    standIn(emptyMachine(), '/nonexistent/libggml-hip.so')
    module = undefined
    expect(await applyPolicy('cpu')).toMatchObject({ active: 'cpu', reason: 'GPU_DISABLED_BY_OPTION' })
  })
})
