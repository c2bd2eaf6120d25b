// Several jobs that are computed together, and what goes wrong in the middle of it.
import { afterEach, describe, expect, it } from 'vitest'
import { fakeGpu } from '../build.mjs'
import { type Came, type Observation, type Run, Scene, type Step } from '../scene.ts'

let scene: Scene | undefined
afterEach(() => scene?.[Symbol.dispose]())

const JOBS = 3
const options = { language: 'en', beamSize: 5, temperature: 0 }
const begun = Array.from({ length: JOBS }, (): Step => ['begin', 'transcribe', null, options])

/** Several jobs at once, and what the GPU was asked for meanwhile. */
async function together(fault: string, { load = {}, cancel = 0 } = {}) {
  scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu })
  const made = scene
  const steps: Step[] = cancel
    ? [...begun.slice(1), ['cancel', made.path('trace'), 'graph', cancel, options]]
    : begun
  const observation = await made.observe(
    [['load', made.model, { backend: 'hip', ...load }], ...steps, ['settled'], ['dispose']],
    {
      WHISPER_HIP_WATCH_SECONDS: '3',
      WHISPER_HIP_FAKE: `trace=${made.path('trace')}; after=${made.path('tried')}; ${fault}`,
    },
  )
  return { observation, trace: made.traceOf('trace').map((line) => line.split(' ')[0]) }
}

/** What came of the jobs. */
const settled = ({ came }: Observation) =>
  came.find(({ step }) => step === 'settled')?.value as Pick<Came<Run>, 'value' | 'error'>[]

/** Those that were in the batch have the failure itself; one that was about to enter it is told of it. */
function expectPoisoned(observation: Observation): void {
  const errors = settled(observation).flatMap(({ error }) => error ?? [])
  const failure = errors.find(({ code }) => code === 'ERR_INTERNAL')?.message ?? 'none'
  expect(errors).toMatchObject(begun.map(() => ({ reason: 'CONTEXT_POISONED' })))
  for (const { message } of errors) expect(message).toContain(failure)
  expect(errors.filter(({ code }) => code === 'ERR_INTERNAL').length).toBeGreaterThan(1)
  expect(observation).toMatchObject({ finished: true, code: 0 })
}

describe('jobs that are computed together', () => {
  it.each(['fail=graph@16', 'abort=graph@16', 'throw=graph@16', 'abort=read@9', 'abort=write@64'])(
    '%s: each of them ends with the same error',
    async (fault) => {
      const { observation } = await together(`slow=150; ${fault}`)
      expectPoisoned(observation)
    },
  )

  it('nothing of a GPU that has failed is called any more', async () => {
    const { observation, trace } = await together('slow=150; fail=graph@16')
    expect(settled(observation).filter(({ error }) => error)).toHaveLength(JOBS)
    const graphs = trace.flatMap((place, i) => (place === 'graph' ? i : []))
    expect(graphs).toHaveLength(16)
    // By ggml, before it says that the graph has failed.
    expect(trace.slice(1 + (graphs.at(-1) as number))).toEqual(['synchronize', 'exit'])
  })

  it('are told when it hangs, and the process ends', async () => {
    const { observation } = await together('slow=150; hang=graph@16')
    expectPoisoned(observation)
  })

  it('go on when one of them is cancelled', async () => {
    const { observation } = await together('slow=150', { cancel: 4 })
    expect(observation.came.find(({ step }) => step === 'cancel')?.value).toMatchObject({
      ended: 'cancelled',
    })
    expect(settled(observation)).toMatchObject(
      begun.slice(1).map(() => ({ value: { text: 'Hello there.' } })),
    )
  })

  it('lose nothing where memory for more of them cannot be had', async () => {
    const { observation, trace } = await together('slow=60')
    expect(settled(observation)).toHaveLength(JOBS)
    const allocations = (places: readonly (string | undefined)[]) =>
      places.filter((place) => place === 'alloc').length
    const loaded = allocations(trace.slice(0, trace.indexOf('graph')))
    const all = allocations(trace)
    expect(all).toBeGreaterThan(loaded + 2)
    for (let next = loaded + 1; next <= all; next++) {
      scene?.[Symbol.dispose]()
      const { observation } = await together(`slow=60; oom=#${next}`)
      expect([next, settled(observation)]).toMatchObject([
        next,
        begun.map(() => ({ value: { text: 'Hello there.', stats: { cpuNodes: 0 } } })),
      ])
    }
  })

  it('come together where their attention is left to the CPU', async () => {
    const { observation } = await together('slow=60; unsupported=FLASH_ATTN_EXT', {
      load: { allowPartial: true },
    })
    expect(settled(observation)).toMatchObject(begun.map(() => ({ value: { text: 'Hello there.' } })))
  })
})
