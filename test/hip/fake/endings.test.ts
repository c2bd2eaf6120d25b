// Whatever the GPU does, a process ends: within the time that the watch waits for one answer and a little, with its own code.
import { describe, expect, it } from 'vitest'
import { fakeGpu } from '../build.mjs'
import { GREEDY, type Observation, Scene, type Step } from '../scene.ts'

const WATCH = 3
/** Beside the wait: the start of Node, the load of a model, what is begun, and a busy machine. */
const LITTLE = 14

/** @param fault of the program, not of the trial before it */
async function observe(
  fault: string,
  steps: (scene: Scene) => readonly Step[],
  always = '',
): Promise<Observation> {
  using scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu, WHISPER_HIP_WATCH_SECONDS: String(WATCH) })
  await scene.observe([['info']], { WHISPER_HIP_FAKE: `${always}; after=${scene.path('tried')}; ${fault}` })
  return await scene.observe(steps(scene), {
    WHISPER_HIP_FAKE: `${always}; after=${scene.path('tried')}; ${fault}`,
  })
}

const JOB: Step = ['begin', 'transcribe', null, GREEDY]

describe.concurrent('a process ends', () => {
  const WAYS = [
    ['exit', 0, { code: 0 }],
    ['exit', 5, { code: 5 }],
    ['exitCode', 6, { code: 6 }],
    ['throw', undefined, { code: 1 }],
    ['SIGTERM', undefined, { signal: 'SIGTERM' }],
  ] as const

  it.each(WAYS)('%s %s, while a job waits for the GPU', async (way, code, ending) => {
    const observation = await observe('hang=graph', ({ model }) => [['load', model], JOB, ['end', way, code]])
    expect(observation).toMatchObject(ending)
    expect(observation.seconds).toBeLessThan(WATCH + LITTLE)
  })

  it.each(WAYS)('%s %s, while the library of the GPU hangs as it is closed', async (way, code, ending) => {
    const observation = await observe('hang=exit', ({ model }) => [
      ['load', model],
      ['transcribe', null, GREEDY],
      ['end', way, code],
    ])
    expect(observation).toMatchObject(ending)
    expect(observation.seconds).toBeLessThan(WATCH + LITTLE)
  })

  it.each(WAYS)('%s %s, though both a job and the library hang', async (way, code, ending) => {
    const observation = await observe('hang=synchronize; spin=exit', ({ model }) => [
      ['begin', 'load', model],
      JOB,
      ['end', way, code],
    ])
    expect(observation).toMatchObject(ending)
    expect(observation.seconds).toBeLessThan(2 * WATCH + LITTLE)
  })

  it.each(['load', 'init', 'stream', 'write', 'alloc', 'clear'])(
    'while a load hangs in "%s"',
    async (stage) => {
      const observation = await observe(`hang=${stage}`, ({ model }) => [
        ['begin', 'load', model],
        ['end', 'exit', 4],
      ])
      expect(observation).toMatchObject({ code: 4, signal: null })
      expect(observation.seconds).toBeLessThan(WATCH + LITTLE)
    },
  )

  it.each(['GELU', 'MUL_MAT'])('while a graph hangs of which the CPU computes %s', async (operation) => {
    const observation = await observe(
      'hang=graph@4',
      ({ model }) => [['load', model], JOB, JOB, ['end', 'exit', 0]],
      `unsupported=${operation}`,
    )
    expect(observation).toMatchObject({ code: 0, signal: null })
    expect(observation.seconds).toBeLessThan(WATCH + LITTLE)
  })

  it('while the library hangs and no job ran before', async () => {
    const observation = await observe('hang=exit', ({ model }) => [
      ['load', model],
      ['end', 'exitCode', 3],
    ])
    expect(observation).toMatchObject({ code: 3, signal: null })
    expect(observation.seconds).toBeLessThan(WATCH + LITTLE)
  })

  it.each(['release', 'free'])('with a model that nobody disposed of, whose "%s" hangs', async (place) => {
    const observation = await observe(`hang=${place}`, ({ model }) => [
      ['load', model],
      ['end', 'exitCode', 3],
    ])
    expect(observation).toMatchObject({ code: 3, signal: null })
    expect(observation.seconds).toBeLessThan(WATCH + LITTLE)
  })

  it('after a GPU was given up that never comes back', async () => {
    const observation = await observe('hang=graph', ({ model }) => [
      ['load', model],
      ['transcribe', null, GREEDY],
      ['end', 'exit', 9],
    ])
    expect(observation.came[1]?.error).toMatchObject({ reason: 'CONTEXT_POISONED' })
    expect(observation).toMatchObject({ code: 9, signal: null })
    expect(observation.stderr).not.toMatch(/does not let this process end/)
  })
})

describe.concurrent('a worker is terminated', () => {
  it.each(['graph', 'write', 'release', 'free'])('while its "%s" hangs', async (place) => {
    const observation = await observe(`hang=${place}`, ({ model }) => [
      ['info'],
      ['worker', [['load', model], JOB, ['dispose'], ['end', 'none']], 4000],
      ['end', 'exit', 2],
    ])
    const ended = observation.came.find(({ step }) => step === 'worker')
    expect(ended?.value).toBeLessThan(WATCH + 4)
    expect(observation).toMatchObject({ code: 2, signal: null })
    expect(observation.seconds).toBeLessThan(2 * WATCH + LITTLE)
  })
})
