// Every reason that a trial of the GPU can end with, made by a GPU that does what the reason says.
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { assertGpu, type BackendReason } from '../../../lib/index.ts'
import { GB, type MadeMachine } from '../../fixtures/sysroot.ts'
import { fakeGpu, stubRuntime } from '../build.mjs'
import { Scene, valueIn } from '../scene.ts'

let scene: Scene | undefined
afterEach(() => scene?.[Symbol.dispose]())

function open(environment: Record<string, string> = {}, machine?: MadeMachine): Scene {
  scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu, ...environment }, machine)
  return scene
}

const ROCBLAS =
  'rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file or directory for GPU arch : gfx1100'
const NO_CODE = ':1:hip_fatbin.cpp: No compatible code objects found for: gfx1100'

interface Case {
  fake: string
  reason: BackendReason
  /** In the message. */
  says: RegExp
  /** The stage that is not ok. */
  stage?: string
  exit?: string
}

const CASES: readonly Case[] = [
  // HIP starts and finds nothing, or an error
  {
    fake: 'devices=0',
    reason: 'HIP_INIT_FAILED',
    says: /no ROCm-capable device is detected/,
    stage: 'devices',
  },
  {
    fake: 'error=initialization error',
    reason: 'HIP_INIT_FAILED',
    says: /initialization error/,
    stage: 'devices',
  },
  { fake: 'fail=init', reason: 'HIP_INIT_FAILED', says: /ggml_backend_init returned NULL/, stage: 'devices' },
  { fake: 'fail=stream', reason: 'HIP_INIT_FAILED', says: /could not be initialised/, stage: 'backend' },
  { fake: 'api=mismatch', reason: 'BACKEND_API_MISMATCH', says: /backend: 3, current: 2/, stage: 'devices' },
  // Memory
  { fake: 'oom=#1', reason: 'OUT_OF_MEMORY', says: /4 MiB could not be allocated/, stage: 'memory' },
  { fake: 'memory=5000000', reason: 'OUT_OF_MEMORY', says: /out of memory/ },
  // The process dies
  { fake: 'segfault=load', reason: 'PROBE_CRASHED', says: /SIGSEGV in the stage "library"/, exit: 'SIGSEGV' },
  {
    fake: 'segfault=stream',
    reason: 'PROBE_CRASHED',
    says: /SIGSEGV in the stage "backend"/,
    exit: 'SIGSEGV',
  },
  { fake: 'abort=graph', reason: 'PROBE_CRASHED', says: /SIGABRT.*ROCm error/, exit: 'SIGABRT' },
  { fake: 'kill=graph', reason: 'PROBE_INTERRUPTED', says: /SIGKILL.* in the stage "add"/, exit: 'SIGKILL' },
  { fake: 'exit=read:5', reason: 'PROBE_CRASHED', says: /code 5 in the stage "memory"/, exit: 'code 5' },
  { fake: 'fault=graph', reason: 'GPU_FAULT', says: /Memory access fault by GPU node-1/, exit: 'SIGABRT' },
  {
    fake: 'say=HW Exception by GPU node-1 (Agent handle: 0x5) reason :GPU Hang; crash=MUL_MAT',
    reason: 'GPU_FAULT',
    says: /GPU Hang/,
    stage: 'mul_mat f16 by f16 of many columns',
  },
  {
    fake: `say=${ROCBLAS}; crash=MUL_MAT`,
    reason: 'ROCBLAS_KERNELS_MISSING',
    says: /gfx1100/,
    stage: 'mul_mat f16 by f16 of many columns',
  },
  {
    fake: `say=${NO_CODE}; segfault=load`,
    reason: 'NO_CODE_OBJECT_FOR_GPU',
    says: /gfx1100/,
    stage: 'library',
  },
]

describe('a trial that fails', () => {
  it.each(CASES)('$fake: $reason', async ({ fake, reason, says, stage, exit }) => {
    const info = await open().info({ WHISPER_HIP_FAKE: fake })
    expect(info).toMatchObject({ active: 'cpu', reason, message: expect.stringMatching(says) })
    expect(info.message).not.toMatch(/\n/)
    expect(info.message).toContain('AMD Radeon RX 7900 XTX (0000:03:00.0)')
    expect(info.advice.length).toBeGreaterThan(0)
    expect(info.devices).toMatchObject([{ pciId: '0000:03:00.0', reason }])
    expect(info.libraries.hip).toBeNull()
    const last = info.probe?.stages.findLast(({ ok }) => !ok)
    expect(last).toBeDefined()
    if (stage !== undefined) expect(last?.name).toBe(stage)
    expect(info.probe?.exit).toBe(
      exit ?? (fake.includes('crash') ? 'SIGABRT' : last?.problem ? 'code 0' : 'SIGSEGV'),
    )
  })
})

describe('a module that the loader or ggml refuses', () => {
  it('is no module of ggml', async () => {
    const info = await open({ WHISPER_HIP_LIBRARY: join(stubRuntime, 'lib', 'libhipblas.so.2') }).info()
    expect(info).toMatchObject({
      reason: 'BACKEND_LIBRARY_MISSING',
      message: expect.stringMatching(/ggml_backend_init/),
    })
  })

  it('needs a library that the machine promises and the loader does not find', async () => {
    const scene = open()
    // librocblas of the stub needs libamdhip64.so.6, which the made machine has, as a file that is none.
    const module = scene.path('libggml-hip.so')
    copyFileSync(join(stubRuntime, 'lib', 'librocblas.so.4'), module)
    const info = await scene.info({ WHISPER_HIP_LIBRARY: module })
    expect(info).toMatchObject({
      reason: 'HIP_RUNTIME_MISSING',
      message: expect.stringMatching(/libamdhip64\.so\.6/),
      probe: {
        stages: [
          { name: 'cpu', ok: true },
          { name: 'library', ok: false },
        ],
      },
    })
  })

  it('needs another version of a library than the loader finds', async () => {
    const scene = open()
    const module = scene.path('libggml-hip.so')
    copyFileSync(join(stubRuntime, 'lib', 'librocblas.so.4'), module)
    // A library of that name without the function.
    copyFileSync(join(stubRuntime, 'lib', 'libhipblas.so.2'), scene.path('libamdhip64.so.6'))
    const info = await scene.info({ WHISPER_HIP_LIBRARY: module })
    expect(info).toMatchObject({
      reason: 'HIP_RUNTIME_VERSION_MISMATCH',
      message: expect.stringMatching(/undefined symbol/),
    })
  })
})

describe('a trial that is passed', () => {
  it('says OK, which device it is, and what it loaded', async () => {
    const scene = open()
    const observation = await scene.observe([['info'], ['assert']])
    const info = valueIn<Awaited<ReturnType<Scene['info']>>>(observation, 'info')
    expect(info).toMatchObject({
      active: 'hip',
      reason: 'OK',
      device: { pciId: '0000:03:00.0', gfx: 'gfx1100' },
      libraries: { hip: fakeGpu },
      components: { encoder: 'hip', decoder: 'hip', vad: 'cpu', mel: 'cpu' },
      probe: { cached: false, exit: 'code 0' },
      notes: [],
    })
    expect(info.probe?.stages.every(({ ok }) => ok)).toBe(true)
    expect(observation.came[1]?.error).toBeUndefined()
    expect(observation.warnings).toEqual([])
  })

  it('notes that the process of the trial died while it ended', async () => {
    const info = await open().info({ WHISPER_HIP_FAKE: 'crash=exit' })
    expect(info).toMatchObject({
      active: 'hip',
      notes: [{ reason: 'PROBE_CRASHED' }],
      probe: { exit: 'SIGABRT' },
    })
  })

  it.each([
    ['FLASH_ATTN_EXT', /flash_attn_ext of one query, flash_attn_ext with a mask of one query, .* and 4 more/],
    ['IM2COL', /im2col f16, im2col f32/],
    ['MUL_MAT/q8_0', /mul_mat q8_0 of one column/],
  ])(
    'says that %s would run on the CPU, and does not count as a GPU that does all',
    async (operation, says) => {
      const info = await open().info({ WHISPER_HIP_FAKE: `unsupported=${operation}` })
      expect(info).toMatchObject({
        active: 'hip',
        reason: 'OPS_ON_CPU',
        message: expect.stringMatching(says),
        notes: [],
      })
      expect(() => assertGpu(info)).toThrow(/would not do all of the work/)
    },
  )

  it('notes a process that hung when it had passed all stages', async () => {
    const info = await open().info({ WHISPER_HIP_FAKE: 'hang=exit' })
    expect(info).toMatchObject({
      active: 'hip',
      reason: 'OK',
      notes: [{ reason: 'PROBE_CRASHED' }],
      probe: { exit: 'killed after 30 s' },
    })
  }, 60_000)

  it('is done once for a boot, a module and a machine, and again when asked', async () => {
    const scene = open()
    const trace = { WHISPER_HIP_FAKE: `trace=${scene.path('trace')}` }
    const cached = async (options?: object) => {
      const observation = await scene.observe([options === undefined ? ['info'] : ['info', options]], trace)
      return valueIn<Awaited<ReturnType<Scene['info']>>>(observation, 'info').probe?.cached
    }
    expect([await cached(), await cached(), await cached({ refresh: true })]).toEqual([false, true, false])
    scene.machine.gpu({ pciId: '0000:0a:00.0', node: 2, minor: 129 })
    expect(await cached()).toBe(false)
  })

  it('is shared by models that load at once', async () => {
    const scene = open()
    const observation = await scene.observe([['loadTwice', scene.model]], {
      WHISPER_HIP_FAKE: `trace=${scene.path('trace')}`,
    })
    expect(valueIn<unknown>(observation, 'loadTwice')).toMatchObject([{ active: 'hip' }, { active: 'hip' }])
    expect(scene.processesOf('trace')).toHaveLength(2) // the trial and the program
  })
})

describe('two GPUs', () => {
  const FAKE = 'devices=2; pci=0000:03:00.0,0000:0a:00.0'

  function withTwo(): Scene {
    const scene = open({ WHISPER_HIP_FAKE: FAKE })
    scene.machine.gpu({
      pciId: '0000:0a:00.0',
      device: '0x73bf',
      gfx: 100300,
      node: 2,
      minor: 129,
      memory: 16 * GB,
      name: 'Radeon RX 6800',
    })
    return scene
  }

  it('takes the one with more memory, and shows HIP no other', async () => {
    const scene = withTwo()
    const observation = await scene.observe([['info'], ['load', scene.model, { backend: 'hip' }]])
    expect(valueIn<unknown>(observation, 'info')).toMatchObject({ device: { pciId: '0000:03:00.0' } })
    expect(valueIn<unknown>(observation, 'load')).toMatchObject({ active: 'hip', device: 'ROCm0' })
  })

  it.each([1, '0000:0a:00.0', 'RX 6800'])('takes the one that is asked for: %s', async (device) => {
    const scene = withTwo()
    const observation = await scene.observe([['load', scene.model, { backend: 'hip', device }]])
    expect(valueIn<unknown>(observation, 'load')).toMatchObject({
      active: 'hip',
      device: 'ROCm0', // the only one that HIP is shown
      message: expect.stringMatching(/0000:0a:00\.0/),
    })
  })

  it('fails for the one whose module has a fault, and says so of it alone', async () => {
    const scene = withTwo()
    const observation = await scene.observe([['load', scene.model, { backend: 'hip', device: 1 }]], {
      WHISPER_HIP_FAKE: `${FAKE}; wrong=SOFT_MAX`,
    })
    expect(observation.came[0]?.error).toMatchObject({
      code: 'ERR_BACKEND_UNAVAILABLE',
      reason: 'NUMERIC_MISMATCH',
    })
    expect(observation.came[0]?.error?.message).toContain('0000:0a:00.0')
  })
})
