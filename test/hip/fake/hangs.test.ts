// A GPU that never answers: nobody waits longer than half a minute for it, and nothing else stands still. The tests run side by
// side, since all they do is to wait.
import { describe, expect, it } from 'vitest'
import { fakeGpu } from '../build.mjs'
import { GREEDY, type Observation, Scene, type Step, valueIn } from '../scene.ts'

/** @param script of all processes, the trial included */
async function observe(
  script: (scene: Scene) => string,
  steps: (scene: Scene) => readonly Step[],
): Promise<Observation> {
  using scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu })
  return await scene.observe(steps(scene), { WHISPER_HIP_FAKE: script(scene) })
}

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
      { code: 'WHISPER_HIP_CPU', detail: expect.stringMatching(/earlier trial/) },
    ])
  })
})

describe.concurrent('after a trial that was passed', () => {
  it.each(['init', 'devices', 'stream', 'alloc', 'write', 'read', 'graph'])(
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
      )
      expect(observation).toMatchObject({ finished: true, code: 0 })
      for (const { seconds } of observation.came) expect(seconds).toBeLessThan(35)
      const [, first, job, ...later] = observation.came
      const sign = { reason: 'CONTEXT_POISONED', message: expect.stringMatching(/has not answered for 30 s/) }
      if (
        first?.value !== undefined &&
        'active' in Object(first.value) &&
        Object(first.value).active === 'hip'
      )
        expect(job?.error).toMatchObject({ code: 'ERR_INTERNAL', ...sign })
      else expect(first?.value).toMatchObject({ active: 'cpu', ...sign })
      expect(later).toMatchObject([
        { step: 'info', value: { active: 'cpu', ...sign } },
        { step: 'load', value: { active: 'cpu', ...sign } },
        { step: 'transcribe', value: { text: 'Hello there.', stats: { backend: 'cpu' } } },
        { step: 'load', error: { code: 'ERR_BACKEND_UNAVAILABLE', ...sign } },
        { step: 'dispose', value: null },
      ])
      expect(observation.warnings).toMatchObject([{ code: 'WHISPER_HIP_CPU' }])
    },
  )

  it('hang=exit: the process ends all the same, with its code', async () => {
    const observation = await observe(
      (scene) => `after=${scene.path('tried')}; hang=exit`,
      ({ model }) => [
        ['load', model],
        ['transcribe', null, GREEDY],
      ],
    )
    expect(observation).toMatchObject({ finished: true, code: 0 })
    expect(observation.seconds).toBeLessThan(50)
    expect(observation.stderr).toMatch(/does not let this process end/)
  })

  it('hang=free: the end of a model is given up', async () => {
    const observation = await observe(
      (scene) => `after=${scene.path('tried')}; hang=free`,
      ({ model }) => [['load', model], ['dispose'], ['info']],
    )
    expect(observation.came[1]).toMatchObject({ error: { reason: 'CONTEXT_POISONED' } })
    expect(observation.came[1]?.seconds).toBeLessThan(35)
    expect(observation.came[2]).toMatchObject({ value: { active: 'cpu', reason: 'CONTEXT_POISONED' } })
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })
})
