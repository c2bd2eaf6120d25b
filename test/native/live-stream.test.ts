import { once } from 'node:events'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import {
  loadModel,
  type Model,
  type StreamEvent,
  type StreamOptions,
  WhisperHipError,
} from '../../lib/index.ts'
import type { LiveStream } from '../../lib/stream/live-stream.ts'
import { material } from '../fixtures/material.ts'
import { readWav } from './speech-samples.ts'
import { collectGarbage, cpu, expectNothingLeft, pause, rejection, speaking, withModel } from './support.ts'

const RATE = 16_000
/** Says "Hello there." whatever it hears. */
const bytes = speaking({ script: [{ text: ' Hello there.', start: 0, end: 29 }] })
/** Takes a while for each decoding. */
const slow = speaking({
  script: [{ text: ' Hello there.', start: 0, end: 29 }],
  audioContext: 1500,
  state: 256,
  layers: 6,
})

const english = { language: 'en' } as const
const silence = (seconds: number) => Buffer.alloc(2 * Math.round(seconds * RATE))
let jfk: Buffer
let model: Model

beforeAll(async () => {
  const samples = readWav(await material('jfk.wav'))
  jfk = Buffer.from(Int16Array.from(samples, (sample) => 32_767 * sample).buffer)
  model = await loadModel(bytes, { ...cpu, maxStreams: 8 })
})
afterAll(async () => {
  await model.dispose()
  await expectNothingLeft()
})

async function collect(live: LiveStream, ...chunks: Buffer[]): Promise<StreamEvent[]> {
  const events: StreamEvent[] = []
  live.on('data', (event) => events.push(event))
  for (const chunk of chunks) live.write(chunk)
  await live.finish()
  if (!live.closed) await once(live, 'close')
  return events
}

const finalsOf = (events: readonly StreamEvent[]) => events.filter((event) => event.type === 'final')

describe('a live transcription', () => {
  it('has an event for each thing that happens in the recording of Kennedy', async () => {
    const events = await collect(model.stream(english), silence(1), jfk, silence(1))
    const finals = finalsOf(events)
    expect(finals.length).toBeGreaterThan(1)
    const kinds = events.map(({ type }) => type).filter((type) => type !== 'stats')
    expect(kinds.filter((kind) => kind === 'speech-start')).toHaveLength(finals.length)
    expect(kinds.filter((kind) => kind === 'speech-end')).toHaveLength(finals.length)
    let last = 0
    for (const { text, start, end, words, language, reason } of finals) {
      expect({ text, language, reason }).toEqual({ text: 'Hello there.', language: 'en', reason: 'silence' })
      expect(start).toBeGreaterThanOrEqual(last)
      expect(words.map((word) => word.text)).toEqual([' Hello', ' there.'])
      for (const word of words) {
        expect(word.start).toBeGreaterThanOrEqual(start)
        expect(word.end).toBeLessThanOrEqual(end)
        expect(word).not.toHaveProperty('tokens')
      }
      last = end
    }
    expect(finals[0]?.start).toBeGreaterThan(0.9)
    expect(last).toBeLessThan(12.5)
    expect(events.findLast((event) => event.type === 'stats')).toMatchObject({ lag: 0, gpuNodes: 0 })
  })

  it('is the same however the audio is cut', async () => {
    const boundaries = async (chunk: number) => {
      const live = model.stream({ ...english, partials: false })
      const events: StreamEvent[] = []
      live.on('data', (event) => events.push(event))
      const all = Buffer.concat([silence(0.5), jfk])
      const chunks = Array.from({ length: Math.ceil(all.length / chunk) }, (_, i) =>
        all.subarray(i * chunk, (i + 1) * chunk),
      )
      Readable.from(chunks).pipe(live)
      await once(live, 'close')
      return events.filter(({ type }) => type !== 'stats').toSorted((a, b) => timeOf(a) - timeOf(b))
    }
    const timeOf = (event: StreamEvent) => ('time' in event ? event.time : 'end' in event ? event.end : 0)
    const whole = await boundaries(1e9)
    expect(whole.length).toBeGreaterThan(3)
    for (const chunk of [333, 3200, 100_001]) expect(await boundaries(chunk)).toEqual(whole)
  })

  it.each([
    ['agreement', {}],
    ['agreement', { vad: false }],
    ['alignatt', { frameThreshold: 10 }],
    ['phrase', { vad: false, step: 0.2 }],
  ] as const)('by %s with %j keeps its promises', async (policy, options) => {
    const events = await collect(model.stream({ ...english, policy, ...options }), jfk)
    let committed = { utterance: -1, text: '' }
    let final = -1
    for (const event of events) {
      if (event.type === 'partial') {
        expect(event.utterance).toBeGreaterThan(final)
        if (event.utterance === committed.utterance)
          expect(event.committed.startsWith(committed.text)).toBe(true)
        committed = { utterance: event.utterance, text: event.committed }
      }
      if (event.type === 'final') {
        expect(event.utterance).toBeGreaterThan(final)
        if (event.utterance === committed.utterance) expect(event.text.startsWith(committed.text)).toBe(true)
        final = event.utterance
      }
    }
    expect(final).toBeGreaterThanOrEqual(0)
  })

  it('does not stop the event loop', async () => {
    const gaps: number[] = []
    for (let round = 0; round < 3 && (gaps.at(-1) ?? 999) > 50; round++) {
      let last = performance.now()
      let longest = 0
      const look = () => {
        longest = Math.max(longest, performance.now() - last)
        last = performance.now()
      }
      const timer = setInterval(look, 1)
      // Almost four minutes at once.
      await collect(model.stream(english), Buffer.concat(Array.from({ length: 20 }, () => jfk)))
      look()
      clearInterval(timer)
      gaps.push(longest)
    }
    // On a slow machine.
    expect(Math.min(...gaps)).toBeLessThan(200)
  })
})

describe('options', () => {
  it.each([
    [{ sampleRate: 16 }, 'sampleRate'],
    [{ vad: { treshold: 1 } }, 'did you mean threshold'],
    [{ language: 'de' }, 'language'],
    [{ polcy: 'phrase' }, 'did you mean policy'],
  ])('%j are refused, at once', (options, text) => {
    let error: unknown
    try {
      model.stream(options as StreamOptions)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(WhisperHipError)
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining(text) })
    expect((error as Error).stack).toContain('live-stream.test.ts')
  })
})

describe('audio that is none', () => {
  const failureOf = async (live: LiveStream, ...chunks: Buffer[]) => {
    const emitted = once(live, 'error')
    for (const chunk of chunks) live.write(chunk)
    return (await emitted)[0] as WhisperHipError
  }

  it('is told with its index', async () => {
    const live = model.stream({ format: 'f32le', channels: 2, sampleRate: 48_000 })
    const bad = Float32Array.of(0, 0, 0, Number.NaN)
    const error = await failureOf(live, Buffer.from(new Float32Array(48_000).buffer), Buffer.from(bad.buffer))
    expect(error).toBeInstanceOf(WhisperHipError)
    expect(error).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining('nan at index 48003'),
    })
    expect(error.stack).toContain('live-stream.test.ts')
  })

  it('is told when integers are taken for floats', async () => {
    expect(await failureOf(model.stream({ format: 'f32le' }), jfk)).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    })
  })
})

describe('many streams', () => {
  it('at once give what each gives alone', async () => {
    const alone = finalsOf(await collect(model.stream(english), jfk))
    const all = await Promise.all(Array.from({ length: 8 }, () => collect(model.stream(english), jfk)))
    for (const events of all) expect(finalsOf(events)).toEqual(alone)
  })

  it('have a limit, which is told', async () => {
    const open = Array.from({ length: 8 }, () => model.stream(english))
    expect(() => model.stream(english)).toThrow(
      expect.objectContaining({
        code: 'ERR_TOO_MANY_STREAMS',
        message: 'The model already has 8 live transcriptions, of at most 8',
        advice: expect.arrayContaining([expect.stringContaining('maxStreams')]),
      }),
    )
    // Any that ends makes room.
    open[3]?.destroy()
    const another = model.stream(english)
    expect(() => model.stream(english)).toThrow(WhisperHipError)
    for (const live of [...open, another]) live.destroy()
    await collect(model.stream(english), jfk)
  })

  it('that were forgotten make room, too', async () => {
    const forget = () => {
      const live = model.stream(english)
      live.write(silence(1))
    }
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 8; i++) forget()
      await vi.waitFor(
        () => {
          collectGarbage()
          model.stream(english).destroy()
        },
        { timeout: 10_000 },
      )
    }
    await collect(model.stream(english), jfk)
  })
})

describe('a model that is disposed', () => {
  it('ends its streams with an error where somebody listens', async () => {
    const other = await loadModel(slow, cpu)
    const listened = other.stream(english)
    listened.write(jfk)
    const emitted = once(listened, 'error')
    const read = other.stream(english)
    read.write(jfk)
    const loop = rejection(
      (async () => {
        for await (const _ of read);
      })(),
    )
    const finishing = other.stream(english)
    finishing.write(jfk)
    const finished = rejection(finishing.finish())
    const ignored = other.stream(english)
    ignored.write(jfk)
    const flushed = rejection(ignored.flush())
    await pause(50)
    const begun = performance.now()
    await other.dispose()
    expect(performance.now() - begun).toBeLessThan(1000)
    const gone = { name: 'WhisperHipError', code: 'ERR_DISPOSED' }
    expect((await emitted)[0]).toMatchObject(gone)
    for (const error of [await loop, await finished, await flushed]) expect(error).toMatchObject(gone)
    if (!ignored.closed) await once(ignored, 'close')
    expect(ignored.errored).toBeNull()
    expect(() => other.stream(english)).toThrow(expect.objectContaining(gone))
    await vi.waitFor(() => expect(addon().native.counters().tasks).toBe(0))
  })

  it('does not wait for what it does before the first word', async () => {
    await withModel(slow, async (other) => {
      const begun = performance.now()
      await other.transcribe(new Float32Array(RATE).fill(0.1), { ...english, beamSize: 1, temperature: 0 })
      const once = performance.now() - begun
      const third = await loadModel(slow, cpu)
      third.stream(english)
      const disposing = performance.now()
      await third.dispose()
      expect(performance.now() - disposing).toBeLessThan(once + 200)
    })
  })
})

describe('destroy', () => {
  it('at any moment leaves nothing', async () => {
    for (let round = 0; round < 25; round++) {
      const live = model.stream({ ...english, policy: round % 2 ? 'agreement' : 'phrase' })
      live.on('data', () => {})
      live.write(jfk)
      await pause(round)
      live.destroy()
    }
    while (addon().native.counters().tasks > 0) await pause(1)
    await collect(model.stream(english), jfk)
  })
})
