// A model on a GPU: where its weights and its work lie, and what becomes of failures that the trial did not see.
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { fakeGpu } from '../build.mjs'
import { backendOf, errorOf, GREEDY, runOf, Scene, type Step } from '../scene.ts'

let scene: Scene | undefined
afterEach(() => scene?.[Symbol.dispose]())

/** @param fault strikes the program, not the trial before it */
function open(fault = ''): Scene {
  scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu })
  const script = `after=${scene.path('tried')}; ${fault}`
  const made = scene
  return Object.assign(made, {
    observe: (steps: readonly Step[], environment = {}) =>
      Scene.prototype.observe.call(made, steps, { WHISPER_HIP_FAKE: script, ...environment }),
  })
}

const TRANSCRIBE: Step = ['transcribe', null, GREEDY]

describe('a model on the GPU', () => {
  it('has its weights and all its nodes there', async () => {
    const scene = open()
    const observation = await scene.observe([['load', scene.model], TRANSCRIBE, ['assert'], ['dispose']])
    expect(backendOf(observation)).toMatchObject({ active: 'hip', device: 'ROCm0', reason: 'OK' })
    expect(Object.keys(backendOf(observation).weightBytes)).toEqual(['ROCm0'])
    const { text, stats } = runOf(observation)
    expect(text).toBe('Hello there.')
    expect(stats).toMatchObject({ backend: 'hip', device: 'ROCm0', cpuNodes: 0, cpuOperations: [] })
    expect(stats.gpuNodes).toBeGreaterThan(100)
    expect(observation.came[2]?.error).toBeUndefined()
    expect(observation).toMatchObject({ warnings: [], code: 0, finished: true })
  })

  it('runs the nodes that it would run on the CPU', async () => {
    const scene = open()
    const observation = await scene.observe([
      ['load', scene.model],
      TRANSCRIBE,
      ['load', scene.model, { backend: 'cpu' }],
      TRANSCRIBE,
    ])
    const [gpu, cpu] = [runOf(observation), runOf(observation, 1)]
    expect(cpu.stats).toMatchObject({ backend: 'cpu', gpuNodes: 0, cpuNodes: gpu.stats.gpuNodes })
    expect(cpu.text).toBe(gpu.text)
  })

  it('is not touched by the policy cpu', async () => {
    const scene = open()
    const observation = await scene.observe([['load', scene.model, { backend: 'cpu' }], TRANSCRIBE], {
      WHISPER_HIP_FAKE: `trace=${scene.path('trace')}`,
    })
    expect(backendOf(observation)).toMatchObject({ active: 'cpu', reason: 'GPU_DISABLED_BY_OPTION' })
    expect(scene.processesOf('trace')).toEqual([])
    expect(observation.warnings).toEqual([])
  })

  it('gives all its memory back', async () => {
    const scene = open()
    const rounds = Array.from({ length: 3 }, (): Step[] => [['load', scene.model], TRANSCRIBE, ['dispose']])
    const observation = await scene.observe(rounds.flat(), {
      WHISPER_HIP_FAKE: `trace=${scene.path('trace')}`,
    })
    expect(observation.came.filter(({ error }) => error !== undefined)).toEqual([])
    const [, program] = scene.processesOf('trace')
    const lines = readFileSync(scene.path('trace'), 'utf8').split('\n')
    const left = lines.flatMap((line) => (line.startsWith(`${program} release `) ? line.split(' ')[2] : []))
    expect(left.filter((bytes) => bytes === '0').length).toBeGreaterThanOrEqual(3) // a leak would leave the first only
    expect(left.at(-1)).toBe('0')
  })
})

describe('an operation that the GPU does not support', () => {
  it.each(['FLASH_ATTN_EXT', 'GELU', 'IM2COL', 'MUL_MAT'])('%s is named', async (operation) => {
    const scene = open(`pid=*; unsupported=${operation}`)
    const observation = await scene.observe([['load', scene.model], TRANSCRIBE, ['assert']])
    const { text, stats } = runOf(observation)
    expect(text).toBe('Hello there.')
    expect(stats.cpuNodes).toBeGreaterThan(0)
    expect(stats.cpuOperations).toEqual([operation])
    expect(errorOf(observation, 'assert')).toMatchObject({
      code: 'ERR_GPU_NOT_USED',
      reason: 'OPS_ON_CPU',
    })
    expect(observation.warnings).toMatchObject([
      { code: 'WHISPER_HIP_CPU', message: expect.stringMatching(/OPS_ON_CPU/) },
    ])
  })

  it('is refused by the policy hip, unless a partial run is allowed', async () => {
    const scene = open('pid=*; unsupported=GELU')
    const observation = await scene.observe([
      ['load', scene.model, { backend: 'hip' }],
      TRANSCRIBE,
      ['load', scene.model, { backend: 'hip', allowPartial: true }],
      TRANSCRIBE,
      ['assert'],
    ])
    expect(errorOf(observation, 'transcribe')).toMatchObject({
      code: 'ERR_GPU_NOT_USED',
      reason: 'OPS_ON_CPU',
      message: expect.stringMatching(/GELU/),
    })
    expect(runOf(observation, 1).stats).toMatchObject({ backend: 'hip', cpuOperations: ['GELU'] })
    expect(errorOf(observation, 'assert')).toMatchObject({ code: 'ERR_GPU_NOT_USED', reason: 'OPS_ON_CPU' })
  })
})

describe('what a job on the GPU leaves behind', () => {
  /** What was made and freed, by the trace of a program with these steps and `fault`. */
  async function streamsOf(fault: string, steps: (model: string) => readonly Step[]) {
    const scene = open()
    const observation = await scene.observe(steps(scene.model), {
      WHISPER_HIP_FAKE: `trace=${scene.path('trace')}; after=${scene.path('tried')}; ${fault}`,
    })
    const trace = scene.traceOf('trace')
    const count = (place: string) => trace.filter((line) => line.split(' ')[0] === place).length
    const left = trace.findLast((line) => line.startsWith('release '))
    return { observation, made: count('stream'), freed: count('free'), left }
  }

  const hip = { backend: 'hip' }
  /** More beams than memory is reserved for. */
  const many = { language: 'en', beamSize: 8, temperature: 0 }

  it.each(['GELU', 'FLASH_ATTN_EXT', 'MUL_MAT'])(
    'rejections for want of %s leak nothing',
    async (operation) => {
      const { observation, made, freed, left } = await streamsOf(
        `pid=*; unsupported=${operation}`,
        (model) => [['load', model, hip], ...Array.from({ length: 5 }, () => TRANSCRIBE), ['dispose']],
      )
      expect(observation.came.filter(({ error }) => error?.code === 'ERR_GPU_NOT_USED')).toHaveLength(5)
      expect(made).toBeGreaterThanOrEqual(5)
      expect(freed).toBe(made)
      expect(left).toBe('release 0')
    },
  )

  it.each([
    ['oom=kv', 'a load without room for caches'],
    ['oom=compute', 'a load without room for graphs'],
    ['wrong=MUL_MAT:nan', 'results that are not numbers'],
    ['oom=#8', 'a load without room for the last graph'],
    ['oom=#9', 'a graph that cannot grow'],
  ])('%s: %s leaks nothing', async (fault) => {
    const { observation, made, freed, left } = await streamsOf(fault, (model) => [
      ['load', model],
      ['transcribe', null, many],
      TRANSCRIBE,
      ['dispose'],
    ])
    expect(observation).toMatchObject({ finished: true, code: 0 })
    expect(made).toBeGreaterThan(0)
    expect(freed).toBe(made)
    expect(left).toBe('release 0')
  })

  it('jobs at once leave nothing', async () => {
    const { observation, made, freed, left } = await streamsOf('', (model) => [
      ['load', model, hip],
      ...Array.from({ length: 3 }, (): Step => ['begin', 'transcribe', null, many]),
      ['settled'],
      ['dispose'],
    ])
    expect(observation.came.flatMap(({ error }) => error ?? [])).toEqual([])
    expect(freed).toBe(made)
    expect(left).toBe('release 0')
  })

  it.each([1, 2, 3, 6])('cancelled at graph %d, a job computes no more than that one', async (graph) => {
    const scene = open()
    const trace = scene.path('trace')
    const observation = await scene.observe(
      [
        ['load', scene.model, hip],
        ['cancel', trace, 'graph', graph, many],
        TRANSCRIBE,
        ['assert'],
        ['dispose'],
      ],
      { WHISPER_HIP_FAKE: `after=${scene.path('tried')}; slow=150; trace=${trace}` },
    )
    const [, cancelled, job, ...rest] = observation.came
    expect(cancelled?.value).toMatchObject({ ended: 'cancelled' })
    expect(Object(cancelled?.value).more).toBeLessThanOrEqual(1)
    expect(job?.value).toMatchObject({ text: 'Hello there.', stats: { cpuNodes: 0 } })
    expect(rest.flatMap(({ error }) => error ?? [])).toEqual([])
    const places = scene.traceOf('trace').map((line) => line.split(' ')[0])
    expect(places.filter((place) => place === 'free')).toHaveLength(
      places.filter((place) => place === 'stream').length,
    )
  })

  it('a failure to free it ends no process', async () => {
    const scene = open('abort=free')
    const observation = await scene.observe([['load', scene.model], TRANSCRIBE, ['dispose'], ['info']])
    expect(errorOf(observation, 'dispose')).toMatchObject({ reason: 'CONTEXT_POISONED' })
    expect(observation.came.at(3)?.value).toMatchObject({ active: 'cpu', reason: 'CONTEXT_POISONED' })
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })

  it('a failure while a graph grows is one of the GPU', async () => {
    const scene = open('abort=alloc@13')
    const observation = await scene.observe([['load', scene.model], ['transcribe', null, many], TRANSCRIBE])
    expect(errorOf(observation, 'transcribe')).toMatchObject({ reason: 'CONTEXT_POISONED' })
    expect(errorOf(observation, 'transcribe', 1)).toMatchObject({ reason: 'CONTEXT_POISONED' })
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })
})

describe('a failure that the trial did not see', () => {
  it.each([
    ['oom=weights', 'OUT_OF_MEMORY', 'ERR_OUT_OF_MEMORY', /weights/],
    ['oom=kv', 'OUT_OF_MEMORY', 'ERR_OUT_OF_MEMORY', /keys and values/],
    ['oom=compute', 'OUT_OF_MEMORY', 'ERR_OUT_OF_MEMORY', /ROCm0 buffer/],
    ['memory=6000000', 'OUT_OF_MEMORY', 'ERR_OUT_OF_MEMORY', /MB free/],
    ['devices=0', 'HIP_INIT_FAILED', 'ERR_BACKEND_UNAVAILABLE', /./],
    ['fail=init', 'HIP_INIT_FAILED', 'ERR_BACKEND_UNAVAILABLE', /ggml_backend_init/],
    ['api=mismatch', 'BACKEND_API_MISMATCH', 'ERR_BACKEND_UNAVAILABLE', /API version/],
    ['pci=0000:99:00.0', 'DEVICE_NOT_FOUND', 'ERR_BACKEND_UNAVAILABLE', /0000:03:00\.0/],
  ] as const)('%s while a model loads: %s', async (fault, reason, code, says) => {
    const scene = open(fault)
    const observation = await scene.observe([
      ['load', scene.model],
      TRANSCRIBE,
      ['assert'],
      ['load', scene.model, { backend: 'hip' }],
    ])
    expect(backendOf(observation)).toMatchObject({ policy: 'auto', active: 'cpu', device: 'CPU', reason })
    expect(Object.keys(backendOf(observation).weightBytes)).toEqual(['CPU'])
    expect(observation.warnings).toMatchObject([
      { code: 'WHISPER_HIP_CPU', message: expect.stringMatching(new RegExp(`\\(${reason}\\)`)) },
    ])
    expect(runOf(observation).stats).toMatchObject({ backend: 'cpu', gpuNodes: 0 })
    expect(errorOf(observation, 'assert')).toMatchObject({
      code: 'ERR_GPU_NOT_USED',
      reason: 'MODEL_NOT_ON_GPU',
    })
    expect(errorOf(observation, 'load', 1)).toMatchObject({
      code,
      reason,
      message: expect.stringMatching(says),
    })
    expect(observation.finished).toBe(true)
  })

  it.each(['abort=graph@1', 'abort=write@2', 'abort=stream', 'abort=alloc@2'])(
    '%s ends no process, and the GPU is not used again in this one',
    async (fault) => {
      const scene = open(fault)
      const observation = await scene.observe([
        ['load', scene.model, { backend: 'hip' }],
        ['transcribe', null, GREEDY],
        ['load', scene.model],
        ['transcribe', null, GREEDY],
        ['info'],
        ['load', scene.model, { backend: 'hip' }],
      ])
      const failed = observation.came.find(({ error }) => error !== undefined)
      expect(failed?.error).toMatchObject({
        code: expect.stringMatching(/^ERR_(INTERNAL|OUT_OF_MEMORY)$/),
        reason: 'CONTEXT_POISONED',
        message: expect.stringMatching(/ROCm error/),
      })
      expect(observation.came.at(2)?.value).toMatchObject({ active: 'cpu', reason: 'CONTEXT_POISONED' })
      expect(observation.came.at(3)?.value).toMatchObject({ text: 'Hello there.', stats: { backend: 'cpu' } })
      expect(observation.came.at(4)?.value).toMatchObject({ active: 'cpu', reason: 'CONTEXT_POISONED' })
      expect(observation.came.at(5)?.error).toMatchObject({
        code: 'ERR_BACKEND_UNAVAILABLE',
        reason: 'CONTEXT_POISONED',
      })
      expect(observation.warnings).toMatchObject([{ code: 'WHISPER_HIP_CPU' }])
      expect(observation).toMatchObject({ finished: true, code: 0 })
    },
  )

  it('a GPU that cannot be started is no lack of memory', async () => {
    const scene = open('fail=stream')
    const observation = await scene.observe([
      ['load', scene.model],
      ['load', scene.model, { backend: 'hip' }],
    ])
    expect(backendOf(observation)).toMatchObject({
      active: 'cpu',
      reason: 'HIP_INIT_FAILED',
      message: expect.stringMatching(/ROCm0 could not be started/),
    })
    expect(errorOf(observation, 'load', 1)).toMatchObject({
      code: 'ERR_BACKEND_UNAVAILABLE',
      reason: 'HIP_INIT_FAILED',
    })
  })

  it('a GPU that supports nothing is no lack of memory either', async () => {
    const scene = open('unsupported=*')
    const observation = await scene.observe([['load', scene.model]])
    expect(backendOf(observation).active).toBe('cpu')
    expect(backendOf(observation).message).not.toMatch(/allocate memory/)
    expect(observation.warnings).toMatchObject([{ code: 'WHISPER_HIP_CPU' }])
  })

  it('a graph that fails leaves the GPU in an unknown state', async () => {
    const scene = open('fail=graph@2')
    const observation = await scene.observe([['load', scene.model], TRANSCRIBE, TRANSCRIBE])
    expect(errorOf(observation, 'transcribe')).toMatchObject({
      code: 'ERR_INTERNAL',
      reason: 'CONTEXT_POISONED',
    })
    expect(errorOf(observation, 'transcribe', 1)).toMatchObject({
      code: 'ERR_BACKEND_UNAVAILABLE',
      reason: 'CONTEXT_POISONED',
    })
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })

  it('a death while the process ends comes after all results', async () => {
    const scene = open('crash=exit')
    const observation = await scene.observe([['load', scene.model], TRANSCRIBE])
    expect(runOf(observation).text).toBe('Hello there.')
    expect(observation).toMatchObject({ finished: true, signal: 'SIGABRT' })
  })
})

describe('a failure, wherever it strikes', () => {
  const STAGES = ['init', 'devices', 'stream', 'alloc', 'write', 'read', 'graph']

  it.each(['abort', 'throw'].flatMap((fault) => STAGES.map((stage) => `${fault}=${stage}`)))(
    '%s: the process lives, and no run is on the CPU unsaid',
    async (fault) => {
      const scene = open(fault)
      const load: Step = ['load', scene.model]
      const observation = await scene.observe([load, TRANSCRIBE, load, TRANSCRIBE, ['assert']])
      expect(observation).toMatchObject({ finished: true, code: 0 })
      expect(observation.warnings).toMatchObject([{ code: 'WHISPER_HIP_CPU' }])
      const [first, job, second, next, asserted] = observation.came
      // The first model, or its first job, had the failure; the second model is on the CPU and says why.
      expect([first, job].some((came) => came?.error !== undefined || onCpu(came?.value))).toBe(true)
      expect(onCpu(second?.value)).toBe(true)
      expect(next?.value).toMatchObject({ text: 'Hello there.', stats: { backend: 'cpu', gpuNodes: 0 } })
      expect(asserted?.error).toMatchObject({ code: 'ERR_GPU_NOT_USED' })
      for (const { error } of [first, job].flatMap((came) => came ?? []))
        if (error !== undefined)
          expect(error).toMatchObject({ name: 'WhisperHipError', reason: expect.any(String) })
    },
  )

  const onCpu = (backend: unknown): boolean => {
    const { active, reason } = Object(backend)
    return active === 'cpu' && reason !== 'OK'
  }
})
