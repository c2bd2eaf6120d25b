// The real HIP module on a runtime that computes nothing (test/hip/stub-runtime). Needs the module in build/Release, or the one
// that WHISPER_HIP_LIBRARY names, and a system whose C library it can use.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { addon } from '../../../lib/backend/addon.ts'
import type { BackendReason } from '../../../lib/index.ts'
import { GB, healthyMachine } from '../../fixtures/sysroot.ts'
import { stubRuntime } from '../build.mjs'
import { backendOf, errorOf, GREEDY, runOf, type Scene, type Step, stubScene } from '../scene.ts'
import { hipModule } from './hip-module.ts'

let scene: Scene | undefined
beforeAll(() => {
  hipModule() // says what is missing
})
afterEach(() => scene?.[Symbol.dispose]())

function open(machine = healthyMachine()): Scene {
  scene = stubScene(machine)
  return scene
}

const counts = (path: string): Record<string, number> => JSON.parse(readFileSync(path, 'utf8'))

describe('the stub', () => {
  it('has every function of ROCm that the module imports, under its version', () => {
    const functions = (...args: string[]) =>
      execFileSync('nm', ['-D', ...args], { encoding: 'utf8' }).match(/\b(__)?hip\w+(@{1,2}\w[\w.]*)?$/gm) ??
      []
    const wanted = functions('--undefined-only', hipModule())
    const stub = ['libamdhip64', 'libhipblas'].flatMap((name) => {
      const file = execFileSync('sh', ['-c', `ls ${join(stubRuntime, 'lib', name)}.so.*`], {
        encoding: 'utf8',
      })
      return functions('--defined-only', file.trim())
    })
    expect(wanted.length).toBeGreaterThan(40)
    expect(wanted.filter((name) => !stub.includes(name.replace('@', '@@')))).toEqual([])
  })
})

interface Case {
  stub: string
  reason: BackendReason
  says: RegExp
}

const CASES: readonly Case[] = [
  { stub: 'devices=0', reason: 'HIP_INIT_FAILED', says: /no ROCm-capable device is detected/ },
  { stub: 'return=hipGetDeviceCount:100', reason: 'HIP_INIT_FAILED', says: /no ROCm-capable device/ },
  { stub: 'return=hipGetDeviceCount:3', reason: 'HIP_INIT_FAILED', says: /initialization error/ },
  { stub: 'return=hipGetDeviceCount:999', reason: 'HIP_INIT_FAILED', says: /unknown error/ },
  { stub: 'return=hipGetDeviceCount:35', reason: 'HIP_RUNTIME_VERSION_MISMATCH', says: /insufficient/ },
  {
    stub: 'return=hipGetDevicePropertiesR0600:101',
    reason: 'PROBE_CRASHED',
    says: /SIGABRT in the stage "devices".*invalid device ordinal/,
  },
  { stub: 'memory=1000000', reason: 'OUT_OF_MEMORY', says: /in the stage "memory"/ },
  { stub: 'return=hipMalloc:2@3', reason: 'OUT_OF_MEMORY', says: /out of memory/ },
  // No code for the chip, in all the ways in which HIP says so
  { stub: 'return=hipLaunchKernel:98', reason: 'NO_CODE_OBJECT_FOR_GPU', says: /invalid device function/ },
  {
    stub: 'return=hipLaunchKernel:200',
    reason: 'NO_CODE_OBJECT_FOR_GPU',
    says: /device kernel image is invalid/,
  },
  {
    stub: 'return=hipLaunchKernel:209',
    reason: 'NO_CODE_OBJECT_FOR_GPU',
    says: /no kernel image is available/,
  },
  {
    stub: 'code=gfx90a',
    reason: 'NO_CODE_OBJECT_FOR_GPU',
    says: /No compatible code objects found for: gfx1100/,
  },
  {
    stub: 'code=gfx90a; nocode=segfault',
    reason: 'NO_CODE_OBJECT_FOR_GPU',
    says: /SIGSEGV.*No compatible code objects/,
  },
  // Faults
  {
    stub: 'return=kernel/soft_max:719',
    reason: 'GPU_FAULT',
    says: /in the stage "soft_max".*unspecified launch failure/,
  },
  { stub: 'return=hipStreamSynchronize:700', reason: 'GPU_FAULT', says: /illegal memory access/ },
  { stub: 'fault=hipLaunchKernel', reason: 'GPU_FAULT', says: /Memory access fault by GPU node-1/ },
  // rocBLAS
  {
    stub: 'gfx=gfx1103',
    reason: 'ROCBLAS_KERNELS_MISSING',
    says: /Cannot read .*TensileLibrary\.dat.*gfx1103/,
  },
  { stub: 'return=hipblasCreate:1', reason: 'ROCBLAS_KERNELS_MISSING', says: /NOT_INITIALIZED/ },
  // The process dies
  { stub: 'segfault=load', reason: 'PROBE_CRASHED', says: /SIGSEGV in the stage "library"/ },
  { stub: 'segfault=hipMalloc', reason: 'PROBE_CRASHED', says: /SIGSEGV in the stage "memory"/ },
  {
    stub: 'kill=hipblasGemmEx',
    reason: 'PROBE_INTERRUPTED',
    says: /SIGKILL.* in the stage "mul_mat f16 by f16 of many columns"/,
  },
  // Everything answers, and no kernel is executed
  { stub: '', reason: 'NUMERIC_MISMATCH', says: /in the stage "add": wrong numbers.*"gelu" and \d+ more/ },
]

describe('a trial of the real module', () => {
  it.each(CASES)('$stub: $reason', async ({ stub, reason, says }) => {
    const info = await open().info({ WHISPER_HIP_STUB: stub })
    expect(info).toMatchObject({
      active: 'cpu',
      reason,
      message: expect.stringMatching(says),
      devices: [{ pciId: '0000:03:00.0', reason }],
    })
    expect(info.advice.length).toBeGreaterThan(0)
    expect(info.rocm?.libraries.map(({ soname }) => soname)).toContain('libamdhip64.so.6')
  })

  it('offers every operation that models have', async () => {
    const stages = (await open().info()).probe?.stages ?? []
    const tried = stages.filter(({ error }) => error !== undefined).map(({ name }) => name)
    expect(tried).toEqual(addon().native.trialOperations())
    expect(stages.filter(({ unsupported }) => unsupported)).toEqual([])
  })

  it('hang=hipGetDeviceCount: PROBE_TIMEOUT after 30 s', async () => {
    const observation = await open().observe([['info']], { WHISPER_HIP_STUB: 'hang=hipGetDeviceCount' })
    expect(observation.came[0]?.value).toMatchObject({
      reason: 'PROBE_TIMEOUT',
      message: expect.stringMatching(/30 s in the stage "devices"/),
    })
    expect(observation.came[0]?.seconds).toBeLessThan(35)
  })

  it('launches a kernel or a product for each operation, and gives its memory back', async () => {
    const scene = open()
    await scene.info({ WHISPER_HIP_STUB: `counts=${scene.path('counts')}` })
    const numbers = counts(scene.path('counts'))
    const kernels = Object.keys(numbers).filter((name) => name.startsWith('kernel.'))
    for (const part of [
      'k_bin_bcast',
      'k_get_rows',
      'norm_f32',
      'op_gelu',
      'soft_max',
      'mul_mat_vec_f',
      'mul_mat_q',
      'flash_attn',
      'im2col',
    ])
      expect(
        kernels.some((name) => name.includes(part)),
        part,
      ).toBe(true)
    expect(numbers['call.hipblasGemmEx']).toBeGreaterThan(0)
    expect(numbers.launches).toBeGreaterThan(10)
    expect(numbers['memory.device0']).toBe(0)
  })

  it('keeps an integrated GPU without code away from the discrete one', async () => {
    const machine = healthyMachine().gpu({
      pciId: '0000:01:00.0',
      device: '0x164e',
      gfx: 100306,
      node: 2,
      minor: 129,
      memory: GB / 2,
    })
    const stub = 'devices=2; pci=0000:03:00.0,0000:01:00.0; gfx=gfx1100,gfx1036; code=gfx1100; integrated=0,1'
    const info = await open(machine).info({ WHISPER_HIP_STUB: stub })
    // It got as far as the numbers: the code was found.
    expect(info).toMatchObject({
      reason: 'NUMERIC_MISMATCH',
      notes: [{ reason: 'OTHER_GPU_WITHOUT_CODE_OBJECT', message: expect.stringMatching(/gfx1036/) }],
    })
    expect(info.devices.map(({ gfx, reason }) => [gfx, reason])).toEqual([
      ['gfx1036', 'NO_CODE_OBJECT_FOR_GPU'],
      ['gfx1100', 'NUMERIC_MISMATCH'],
    ])
  })

  it('finds no device where ROCm itself runs and there is none', async () => {
    // Without the stub the loader takes the ROCm that the module was built with.
    const info = await open().info({ LD_LIBRARY_PATH: '' })
    const reason = existsSync('/dev/kfd') ? expect.any(String) : 'HIP_INIT_FAILED'
    expect(info).toMatchObject({
      reason,
      probe: { stages: [{ name: 'cpu' }, { name: 'library', ok: true }, { name: 'devices' }] },
    })
  })
})

describe('a model on the real module', () => {
  const TRANSCRIBE: Step = ['transcribe', null, GREEDY]

  /** @param faults strike what comes after a trial that is taken for passed */
  async function observe(steps: (scene: Scene) => readonly Step[], faults: string) {
    const scene = open()
    const environment = { WHISPER_HIP_STUB: `@${scene.path('stub')}` }
    writeFileSync(scene.path('stub'), '')
    await scene.trust(environment)
    writeFileSync(scene.path('stub'), `counts=${scene.path('counts')}; fill=0; ${faults}`)
    return scene.observe(steps(scene), environment)
  }

  it('has its weights in the memory of HIP and all its nodes on the GPU', async () => {
    const observation = await observe(
      ({ model }) => [['load', model, { backend: 'hip' }], TRANSCRIBE, ['assert'], ['dispose']],
      '',
    )
    expect(backendOf(observation)).toMatchObject({ active: 'hip', device: 'ROCm0' })
    expect(Object.keys(backendOf(observation).weightBytes)).toEqual(['ROCm0'])
    expect(runOf(observation).stats).toMatchObject({ backend: 'hip', cpuNodes: 0, cpuOperations: [] })
    expect(observation.came[2]?.error).toBeUndefined()
    const numbers = counts(scene?.path('counts') ?? '')
    expect(numbers.launches).toBeGreaterThan(100)
    expect(numbers['memory.device0']).toBe(0)
    expect(observation).toMatchObject({ code: 0, finished: true, warnings: [] })
  })

  it.each([
    ['return=hipMalloc:2@1', 'OUT_OF_MEMORY'],
    ['memory=20000000', 'OUT_OF_MEMORY'],
  ] as const)('%s while it loads: %s', async (faults, reason) => {
    const observation = await observe(
      ({ model }) => [
        ['load', model],
        ['load', model, { backend: 'hip' }],
      ],
      faults,
    )
    expect(backendOf(observation)).toMatchObject({ active: 'cpu', reason })
    expect(observation.warnings).toMatchObject([{ code: 'WHISPER_HIP_CPU' }])
    if (faults.startsWith('memory'))
      expect(errorOf(observation, 'load', 1)).toMatchObject({ code: 'ERR_OUT_OF_MEMORY', reason })
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })

  it.each([
    ['return=kernel/norm:700', /illegal memory access/],
    ['return=hipLaunchKernel:719', /unspecified launch failure/],
    ['return=hipblasCreate:3', /ALLOC_FAILED|CUBLAS|out of memory/],
  ])('%s while it transcribes becomes an error, and the process lives', async (faults, says) => {
    const observation = await observe(
      ({ model }) => [
        ['load', model, { backend: 'hip' }],
        TRANSCRIBE,
        TRANSCRIBE,
        ['load', model],
        TRANSCRIBE,
      ],
      faults,
    )
    const failures = observation.came.flatMap(({ error }) => error ?? [])
    expect(failures[0]).toMatchObject({ reason: 'CONTEXT_POISONED', message: expect.stringMatching(says) })
    expect(observation.came[3]?.value).toMatchObject({ active: 'cpu', reason: 'CONTEXT_POISONED' })
    expect(observation.came[4]?.value).toMatchObject({ text: 'Hello there.', stats: { backend: 'cpu' } })
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })
})
