// A GPU that never answers: nobody waits for it longer than WHISPER_HIP_WATCH_SECONDS says, half a minute by itself, and nothing
// else stands still. The tests run side by side, since all they do is to wait.
import { describe, expect, it } from 'vitest'
import { fakeGpu } from '../build.mjs'
import { GREEDY, type Observation, Scene, type Step, valueIn } from '../scene.ts'

/** @param script of all processes, the trial included */
async function observe(
  script: (scene: Scene) => string,
  steps: (scene: Scene) => readonly Step[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Observation> {
  using scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu, ...environment })
  return await scene.observe(steps(scene), { WHISPER_HIP_FAKE: script(scene) })
}

const SHORT = { WHISPER_HIP_WATCH_SECONDS: '3' }
const LOST = { reason: 'CONTEXT_POISONED', message: expect.stringMatching(/has not answered for 3 s/) }

describe.concurrent('in the trial', () => {
  it.each([
    ['hang=graph', /30 s in the stage "add"/],
    ['spin=MUL_MAT', /30 s in the stage "mul_mat f16 by f16 of many columns"/],
    ['hang=load', /30 s in the stage "library"/],
  ])('%s: PROBE_TIMEOUT', async (script, says) => {
    const observation = await observe(
      () => script,
      () => [['info']],
    )
    expect(observation.came[0]?.seconds).toBeLessThan(35)
    expect(valueIn<unknown>(observation, 'info')).toMatchObject({
      active: 'cpu',
      reason: 'PROBE_TIMEOUT',
      message: expect.stringMatching(says),
      probe: { exit: 'killed after 30 s' },
    })
  })

  it('is not tried again by itself', async () => {
    using scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu, WHISPER_HIP_FAKE: 'hang=stream' })
    const first = await scene.observe([['info']])
    expect(first.came[0]?.value).toMatchObject({ reason: 'PROBE_TIMEOUT', probe: { cached: false } })
    const second = await scene.observe([['load', scene.model]])
    expect(second.seconds).toBeLessThan(15)
    expect(second.came[0]?.value).toMatchObject({ active: 'cpu', reason: 'PROBE_TIMEOUT' })
    expect(second.warnings).toMatchObject([
      { code: 'WHISPER_HIP_CPU', message: expect.stringMatching(/npx whisper-hip doctor/) },
    ])
  })
})

describe.concurrent('after a trial that was passed', () => {
  it.each(['init', 'devices', 'query', 'stream', 'alloc', 'clear', 'write', 'read', 'graph', 'synchronize'])(
    'hang=%s: what waits for the GPU fails, and the process goes on with the CPU',
    async (stage) => {
      const observation = await observe(
        (scene) => `after=${scene.path('tried')}; hang=${stage}`,
        ({ model }) => [
          ['info'], // the trial, which takes its own time
          ['load', model],
          ['transcribe', null, GREEDY],
          ['info'],
          ['load', model],
          ['transcribe', null, GREEDY],
          ['load', model, { backend: 'hip' }],
          ['dispose'],
        ],
        SHORT,
      )
      expect(observation).toMatchObject({ finished: true, code: 0 })
      for (const { seconds } of observation.came.slice(1)) expect(seconds).toBeLessThan(10)
      const [, first, job, ...later] = observation.came
      const loaded = Object(first?.value)
      if (loaded.active === 'hip') expect(job?.error).toMatchObject({ code: 'ERR_INTERNAL', ...LOST })
      else expect(loaded).toMatchObject({ active: 'cpu', ...LOST })
      expect(later).toMatchObject([
        { step: 'info', value: { active: 'cpu', ...LOST } },
        { step: 'load', value: { active: 'cpu', ...LOST } },
        { step: 'transcribe', value: { text: 'Hello there.', stats: { backend: 'cpu' } } },
        { step: 'load', error: { code: 'ERR_BACKEND_UNAVAILABLE', ...LOST } },
        { step: 'dispose', value: null },
      ])
      expect(observation.warnings).toMatchObject([{ code: 'WHISPER_HIP_CPU' }])
    },
  )

  it.each([
    ['2', 2],
    ['1.5', 1.5],
    ['0', 30],
    ['soon', 30],
    ['86401', 30],
  ])('WHISPER_HIP_WATCH_SECONDS=%s: waits for %s s', async (text, seconds) => {
    const observation = await observe(
      (scene) => `after=${scene.path('tried')}; hang=graph`,
      ({ model }) => [
        ['load', model],
        ['transcribe', null, GREEDY],
      ],
      { WHISPER_HIP_WATCH_SECONDS: text },
    )
    const [, job] = observation.came
    expect(job?.error).toMatchObject({
      reason: 'CONTEXT_POISONED',
      message: `The GPU has not answered for ${seconds} s`,
    })
    expect(job?.seconds).toBeGreaterThan(seconds - 0.1)
    expect(job?.seconds).toBeLessThan(seconds + 4)
  })

  it.each(['release@2', 'free'])('hang=%s: the end of a model is given up', async (place) => {
    const observation = await observe(
      (scene) => `after=${scene.path('tried')}; hang=${place}`,
      ({ model }) => [['load', model], ['dispose'], ['info'], ['load', model], ['transcribe', null, GREEDY]],
      SHORT,
    )
    const [, dispose, info, load, job] = observation.came
    expect(dispose).toMatchObject({ error: LOST })
    expect(dispose?.seconds).toBeLessThan(10)
    expect(info).toMatchObject({ value: { active: 'cpu', reason: 'CONTEXT_POISONED' } })
    expect(load).toMatchObject({ value: { active: 'cpu' } })
    expect(job).toMatchObject({ value: { text: 'Hello there.', stats: { backend: 'cpu' } } })
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })

  // The first twelve allocations and a release are those of a load.
  it.each(['alloc@13', 'release@2'])('hang=%s, while a graph grows for more beams', async (place) => {
    const observation = await observe(
      (scene) => `after=${scene.path('tried')}; hang=${place}`,
      ({ model }) => [
        ['load', model, { backend: 'hip' }],
        ['transcribe', null, { language: 'en', beamSize: 8, temperature: 0 }],
        ['dispose'],
      ],
      SHORT,
    )
    const [, job, dispose] = observation.came
    expect(job).toMatchObject({ error: LOST })
    expect(job?.seconds).toBeLessThan(10)
    expect(dispose?.seconds).toBeLessThan(2)
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })

  it('a job that hangs, one that waits, one on the CPU, and the end of the model are settled', async () => {
    const observation = await observe(
      (scene) => `after=${scene.path('tried')}; hang=graph@6`,
      ({ model }) => [
        ['load', model, { backend: 'hip' }],
        ['begin', 'transcribe', null, GREEDY],
        ['begin', 'transcribe', null, GREEDY],
        ['begin', 'dispose'],
        ['load', model, { backend: 'cpu' }],
        ['transcribe', null, GREEDY],
        ['settled'],
      ],
      SHORT,
    )
    expect(observation.came.at(-1)?.seconds).toBeLessThan(10)
    expect(JSON.stringify(observation.came.at(-1)?.value)).toContain('has not answered for 3 s')
    expect(observation.came.at(-2)?.value).toMatchObject({ text: 'Hello there.', stats: { backend: 'cpu' } })
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })
})

// One after the other: they compute on the CPU while they wait.
describe('in a graph of which the CPU computes a part', () => {
  it.each([
    ['GELU', 'hang=graph@3'],
    ['FLASH_ATTN_EXT', 'spin=graph@5'],
    ['SOFT_MAX', 'hang=synchronize@9'],
    ['MUL_MAT', 'hang=write@60'],
    ['IM2COL', 'hang=read@8'],
  ])('without %s, %s: both jobs settle, and CPU jobs go on', async (operation, fault) => {
    const observation = await observe(
      (scene) => `unsupported=${operation}; after=${scene.path('tried')}; ${fault}`,
      ({ model }) => [
        ['load', model],
        ['begin', 'transcribe', null, GREEDY],
        ['begin', 'transcribe', null, GREEDY],
        ['load', model, { backend: 'cpu' }],
        ['transcribe', null, GREEDY],
        ['settled'],
      ],
      { WHISPER_HIP_WATCH_SECONDS: '8' },
    )
    const [, , , , job, settled] = observation.came
    expect(job?.value).toMatchObject({ text: 'Hello there.', stats: { backend: 'cpu' } })
    expect(job?.seconds).toBeLessThan(7) // while the GPU hangs
    const endings = settled?.value as { error?: unknown }[]
    expect(endings).toHaveLength(2)
    expect(endings.some(({ error }) => error !== undefined)).toBe(true)
    for (const { error } of endings)
      if (error !== undefined) expect(error).toMatchObject({ reason: 'CONTEXT_POISONED' })
    expect(settled?.seconds).toBeLessThan(20)
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })

  it('throw=graph: CPU jobs go on', async () => {
    const observation = await observe(
      (scene) => `unsupported=GELU; after=${scene.path('tried')}; throw=graph@3`,
      ({ model }) => [
        ['load', model],
        ['transcribe', null, GREEDY],
        ['load', model, { backend: 'cpu' }],
        ['transcribe', null, GREEDY],
      ],
      SHORT,
    )
    expect(observation.came[1]?.error).toMatchObject({ reason: 'CONTEXT_POISONED' })
    expect(observation.came[3]?.value).toMatchObject({ text: 'Hello there.', stats: { backend: 'cpu' } })
  })
})
