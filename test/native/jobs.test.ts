import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { loadModel, type Model } from '../../lib/index.ts'
import { cpu, expectNothingLeft, greedy, hum, pause, rejection, speaking, withModel } from './support.ts'

const sentence = 'The quick brown fox jumps over the lazy dog, and the dog sleeps on.'
const bytes = speaking({ script: [{ text: ` ${sentence}`, start: 0, end: 29 }] })
/** Long enough to be caught in the act: 5 windows. */
const long = hum(150)
const brief = hum(5)

let model: Model

beforeAll(async () => {
  model = await loadModel(bytes, { ...cpu, concurrency: 2 })
})

afterAll(async () => {
  await model.dispose()
  await expectNothingLeft()
})

const counters = () => addon().native.counters()

describe('jobs on one model', () => {
  it('start in the order of the calls, two at a time, and all say the same', async () => {
    const begun: number[] = []
    let running = 0
    let most = 0
    const jobs = Array.from({ length: 8 }, async (_, i) => {
      const job = model.transcribe(brief, {
        ...greedy,
        onSegment: () => {
          begun.push(i)
          running++
          most = Math.max(most, counters().tasks)
        },
      })
      expect((await job).text).toBe(sentence)
    })
    await Promise.all(jobs)
    expect(running).toBe(8)
    expect(most).toBeLessThanOrEqual(2)
    // Two run side by side: each may overtake its neighbour, but nobody else.
    for (const [place, i] of begun.entries()) expect(Math.abs(place - i)).toBeLessThanOrEqual(1)
  })

  it('with equal seeds give equal tokens, whatever ran before on their state', async () => {
    const sample = { language: 'en', temperature: 0.8, maxTokens: 30 } as const
    const first = await model.transcribe(brief, sample)
    await model.transcribe(brief, { language: 'en', beamSize: 5 })
    await Promise.all([model.transcribe(brief, sample), model.transcribe(brief, sample)])
    expect((await model.transcribe(brief, sample)).segments).toEqual(first.segments)
  })

  it('that wait can be cancelled without a trace', async () => {
    const reason = new Error('not needed')
    const running = [model.transcribe(long, greedy), model.transcribe(long, greedy)]
    const waiting = model.transcribe(brief, greedy)
    const last = model.transcribe(brief, greedy)
    while (counters().tasks < 2) await pause(1)
    waiting.cancel(reason)
    expect(await rejection(waiting)).toBe(reason)
    expect(counters().tasks).toBe(2)
    for (const job of running) job.cancel(reason)
    for (const job of running) expect(await rejection(job)).toBe(reason)
    expect((await last).text).toBe(sentence)
  })

  it('that run can be cancelled at any time, and the others go on', async () => {
    for (const delay of [0, 1, 5, 20, 50, 100, 200]) {
      const other = model.transcribe(brief, greedy)
      const job = model.transcribe(long, greedy)
      await pause(delay)
      job.cancel()
      expect(await rejection(job)).toMatchObject({ name: 'AbortError' })
      expect((await other).text).toBe(sentence)
    }
  })

  it('are free within a moment of being cancelled', async () => {
    // On a fast machine, a shorter one would be done before it is cancelled.
    const job = model.transcribe(hum(1200), greedy)
    await new Promise((resolve) => model.transcribe(brief, { ...greedy, onSegment: resolve }))
    await pause(100)
    const begun = performance.now()
    job.cancel()
    await rejection(job)
    while (counters().tasks > 0) await pause(1)
    expect(performance.now() - begun).toBeLessThan(5000)
  })
})

describe('leaving the loop', () => {
  it('by break cancels the job', async () => {
    for await (const segment of model.transcribe(long, greedy)) {
      expect(segment.text).toBe(` ${sentence}`)
      break
    }
    while (counters().tasks > 0) await pause(1)
    expect((await model.transcribe(brief, greedy)).text).toBe(sentence)
  })

  it('by an error cancels the job, and the error comes out', async () => {
    const mine = new Error('mine')
    const job = model.transcribe(long, greedy)
    const loop = (async () => {
      for await (const _ of job) throw mine
    })()
    expect(await rejection(loop)).toBe(mine)
    expect(await rejection(job)).toMatchObject({ name: 'AbortError' })
    while (counters().tasks > 0) await pause(1)
  })
})

describe('a callback that throws', () => {
  it.each(['onSegment', 'onProgress'] as const)('as %s cancels the job with its error', async (name) => {
    const mine = new Error('mine')
    const job = model.transcribe(long, {
      ...greedy,
      [name]: () => {
        throw mine
      },
    })
    expect(await rejection(job)).toBe(mine)
    while (counters().tasks > 0) await pause(1)
  })

  it('while a model loads ends the load', async () => {
    const mine = new Error('mine')
    const loading = loadModel(bytes, {
      ...cpu,
      onProgress: () => {
        throw mine
      },
    })
    expect(await rejection(loading)).toBe(mine)
    expect(counters().models).toBe(1)
  })
})

describe('an abort of a load', () => {
  it('takes effect at any time', async () => {
    const reason = new Error('not needed')
    for (const delay of [0, 1, 2, 5, 10, 15, 20, 30]) {
      const controller = new AbortController()
      const loading = loadModel(bytes, { ...cpu, signal: controller.signal })
      const loaded = loading.then(
        (early) => early.dispose(),
        (error) => expect(error).toBe(reason),
      )
      if (delay > 0) await pause(delay)
      controller.abort(reason)
      await loaded
    }
    expect(counters()).toMatchObject({ models: 1, tasks: 0 })
  })

  it('that comes after its end does nothing', async () => {
    const controller = new AbortController()
    const loaded = await loadModel(bytes, { ...cpu, signal: controller.signal })
    controller.abort()
    expect((await loaded.transcribe(brief, greedy)).text).toBe(sentence)
    await loaded.dispose()
  })
})

describe('dispose', () => {
  it('ends jobs that run and that wait, then frees all', async () => {
    const doomed = await loadModel(bytes, { ...cpu, concurrency: 1 })
    const jobs = [
      doomed.transcribe(long, greedy),
      doomed.transcribe(long, greedy),
      doomed.detectLanguage(long),
    ]
    const failures = Promise.all(jobs.map(rejection))
    await pause(30)
    const disposals = [doomed.dispose(), doomed.dispose(), doomed[Symbol.asyncDispose]()]
    for (const failure of await failures) expect(failure).toMatchObject({ code: 'ERR_DISPOSED' })
    await Promise.all(disposals)
    await doomed.dispose()
    expect(counters().models).toBe(1)
    expect(await rejection(doomed.transcribe(brief))).toMatchObject({ code: 'ERR_DISPOSED' })
    expect(await rejection(doomed.detectLanguage(brief))).toMatchObject({ code: 'ERR_DISPOSED' })
    // What is known of it stays readable.
    expect(doomed.info.layers).toEqual({ encoder: 1, decoder: 1 })
  })

  it('may come at any time of a job', async () => {
    for (let delay = 0; delay < 60; delay += 5) {
      const doomed = await loadModel(bytes, cpu)
      // The expression is looked up in the vocabulary before the audio is read.
      const jobs = [
        doomed.transcribe(long, {
          ...greedy,
          suppressRegex: '.*[0-9]+[a-z]?.*',
          initialPrompt: 'So. '.repeat(900),
        }),
        doomed.transcribe(long, greedy),
      ]
      const failures = Promise.all(jobs.map(rejection))
      await pause(delay)
      await doomed.dispose()
      for (const failure of await failures) expect(failure).toMatchObject({ code: 'ERR_DISPOSED' })
    }
  })

  it('is not needed: a model that was forgotten is collected', async () => {
    await (async () => {
      const forgotten = await loadModel(bytes, cpu)
      await forgotten.transcribe(brief, greedy)
    })()
    const before = counters().models
    expect(before).toBe(2)
    await model.dispose()
    await expectNothingLeft()
    model = await loadModel(bytes, { ...cpu, concurrency: 2 })
  })

  it('happens at the end of the block', async () => {
    {
      await using scoped = await loadModel(bytes, cpu)
      expect((await scoped.transcribe(brief, greedy)).text).toBe(sentence)
      expect(counters().models).toBe(2)
    }
    expect(counters().models).toBe(1)
  })
})

describe('two models', () => {
  it('work side by side', async () => {
    const other = speaking({ script: [{ text: ' Another.', start: 0, end: 9 }] })
    await withModel(other, async (second) => {
      const [a, b] = await Promise.all([model.transcribe(brief, greedy), second.transcribe(brief, greedy)])
      expect([a.text, b.text]).toEqual([sentence, 'Another.'])
    })
  })
})
