import { describe, expect, it } from 'vitest'
import type { FinalEvent, StreamStatsEvent } from '../../../lib/stream/types.ts'
import {
  FakeHost,
  inShort,
  loud,
  murmur,
  openStream,
  quiet,
  readAll,
  SECONDS,
  settled,
  wordsOf,
} from './fakes.ts'

/** Frames: 500 ms end an utterance, what is kept after its speech are 7 of them. */
const PAUSE = 16
const TAIL = 7

describe('the events of an utterance', () => {
  it('come in order', async () => {
    const { live, host, say, answer } = openStream({ partials: true })
    const events = readAll(live)
    await say(quiet(20), loud(30))
    await answer(' So it')
    await say(loud(30))
    await answer(' So it is')
    await say(quiet(PAUSE))
    await answer(' So it is.')
    expect(inShort(events)).toEqual([
      'speech-start 20',
      'partial 0 "" "So it"',
      'partial 0 "" "So it is"',
      'speech-end 80',
      'final 0 "So it is." silence',
    ])
    expect(host.calls.map(({ kind }) => kind)).toEqual(['guess', 'guess', 'careful'])
  })

  it('hold warnings of the job, once, in the time of the stream', async () => {
    const { live, say, answer } = openStream({ partials: false })
    const events = readAll(live)
    const warnings = [{ code: 'AUDIO_DAMAGED', message: 'It is damaged', start: 0.5, end: 1 }] as const
    await say(loud(40), quiet(PAUSE))
    await answer(' So', { warnings: [...warnings, ...warnings] })
    const found = events.filter(({ type }) => type === 'warning')
    expect(found).toEqual([
      { type: 'warning', code: 'AUDIO_DAMAGED', message: 'It is damaged', start: 0.5, end: 1 },
    ])
    expect(inShort(events).at(-1)).toBe('final 0 "So" silence')
  })

  it('hold all that is documented', async () => {
    const { live, say, answer } = openStream({ partials: true })
    const events = readAll(live)
    await say(quiet(20), loud(30))
    await answer(' So it')
    await say(quiet(PAUSE))
    await answer(' So it.')
    const start = 20 * SECONDS - 0.3
    const shifted = (text: string) =>
      wordsOf(text, start).map(({ tokens: _, ...word }) => ({
        ...word,
        start: expect.closeTo(word.start),
        end: expect.closeTo(word.end),
      }))
    expect(events).toEqual([
      { type: 'speech-start', time: 20 * SECONDS },
      {
        type: 'partial',
        utterance: 0,
        revision: 0,
        committed: '',
        tentative: 'So it',
        words: shifted(' So it'),
        committedWords: 0,
      },
      expect.objectContaining({ type: 'stats' }),
      { type: 'speech-end', time: 50 * SECONDS },
      {
        type: 'final',
        utterance: 0,
        text: 'So it.',
        words: shifted(' So it.'),
        start,
        end: (50 + TAIL) * SECONDS,
        reason: 'silence',
        language: 'en',
        averageLogProbability: -0.1,
      },
      {
        type: 'stats',
        lag: 0,
        realTimeFactor: (37 * SECONDS + 0.3) / 1,
        bufferedSeconds: expect.closeTo(66 * SECONDS - start),
        gpuNodes: 0,
        cpuNodes: 20,
      },
    ])
  })

  it('are those of its samples: what is decoded is [start, end) of the final', async () => {
    const { live, host, say, answer } = openStream()
    const events = readAll(live)
    for (let i = 0; i < 3; i++) {
      await say(quiet(5 * i), loud(20), quiet(PAUSE))
      await answer(' One.')
    }
    const finals = events.filter((event): event is FinalEvent => event.type === 'final')
    expect(finals).toHaveLength(3)
    for (const [i, { start, end }] of finals.entries()) {
      const samples = host.calls[i]?.samples
      expect(samples?.[0]).toBe(Math.round(start * 16_000))
      expect(samples?.at(-1)).toBe(Math.round(end * 16_000) - 1)
      expect(start).toBeGreaterThanOrEqual(finals[i - 1]?.end ?? 0)
    }
  })

  it('do not end with an empty final where nothing was shown', async () => {
    const { live, say, answer } = openStream({ partials: true })
    const events = readAll(live)
    await say(loud(30))
    await answer('')
    await say(quiet(PAUSE))
    await answer('')
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 30'])
  })

  it('end with an empty final where something was shown', async () => {
    const { live, say, answer } = openStream({ partials: true })
    const events = readAll(live)
    await say(loud(30))
    await answer(' Hm')
    await say(quiet(PAUSE))
    await answer('')
    expect(inShort(events)).toEqual([
      'speech-start 0',
      'partial 0 "" "Hm"',
      'speech-end 30',
      'final 0 "" silence',
    ])
  })

  it('are few where it was too short to be one', async () => {
    const { live, host, say, answer } = openStream()
    const events = readAll(live)
    await say(loud(3), quiet(PAUSE), loud(4), quiet(PAUSE))
    expect(host.calls).toHaveLength(1)
    await answer(' Oh.')
    expect(inShort(events)).toEqual([
      'speech-start 0',
      'speech-end 3',
      'speech-start 19',
      'speech-end 23',
      'final 1 "Oh." silence',
    ])
  })
})

describe('an utterance that is too long', () => {
  const vad = { maxSpeechDurationS: 5 }

  it('is followed by the next one, without a word of ending and beginning', async () => {
    const { live, say, answer } = openStream({ vad })
    const events = readAll(live)
    await say(loud(100), murmur(1), loud(99), quiet(PAUSE))
    await answer(' One')
    await answer(' two.')
    expect(inShort(events)).toEqual([
      'speech-start 0',
      'speech-end 200',
      'final 0 "One" max',
      'final 1 "two." silence',
    ])
    const [first, second] = events.filter((event): event is FinalEvent => event.type === 'final')
    expect([first?.end, second?.start]).toEqual([100.5 * SECONDS, 100.5 * SECONDS])
  })

  it('is not told as a new beginning where the first part was no speech', async () => {
    const { live, host, say } = openStream({ vad })
    const events = readAll(live)
    await say(loud(1), murmur(200), quiet(PAUSE))
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 201'])
    expect(host.calls).toEqual([])
  })
})

describe('a pause', () => {
  it('is when the final is computed, which is told at its end', async () => {
    const { live, host, say, answer } = openStream()
    const events = readAll(live)
    await say(loud(30), quiet(TAIL))
    const call = await answer(' Yes.')
    expect(call.samples.length).toBe((30 + TAIL) * 512)
    expect(inShort(events)).toEqual(['speech-start 0'])
    await say(quiet(PAUSE - TAIL))
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 30', 'final 0 "Yes." silence'])
    expect(host.calls).toHaveLength(1)
  })

  it('that ends while its final is computed waits for that', async () => {
    const { live, host, say, answer } = openStream()
    const events = readAll(live)
    await say(loud(30), quiet(TAIL))
    await say(quiet(PAUSE - TAIL))
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 30'])
    await answer(' Yes.')
    expect(inShort(events).at(-1)).toBe('final 0 "Yes." silence')
    expect(host.calls).toHaveLength(1)
  })

  it.each([true, false])('that is none makes a new final (the first was done: %s)', async (isDone) => {
    const { live, host, say, answer } = openStream()
    const events = readAll(live)
    await say(loud(30), quiet(TAIL))
    if (isDone) await answer(' Yes.')
    await say(loud(5))
    expect(host.calls[0]?.cancelled).toBe(!isDone)
    await say(quiet(PAUSE))
    await answer(' Yes, indeed.')
    expect(inShort(events).slice(1)).toEqual(['speech-end 42', 'final 0 "Yes, indeed." silence'])
  })
})

describe('without voice activity', () => {
  it('all audio is one speech, which is cut at its quietest moments', async () => {
    const { live, host, say, answer } = openStream({ vad: false })
    const events = readAll(live)
    for (let i = 0; i < 20; i++) await say(quiet(100))
    live.end()
    while (host.running() !== undefined) await answer(' a')
    expect(inShort(events)[0]).toBe('speech-start 0')
    expect(inShort(events).filter((line) => line.startsWith('speech'))).toEqual([
      'speech-start 0',
      'speech-end 2000',
    ])
    const finals = events.filter((event): event is FinalEvent => event.type === 'final')
    expect(finals.map(({ reason }) => reason)).toEqual(['max', 'max', 'max', 'max', 'end'])
    let last = 0
    for (const { start, end } of finals) {
      expect(start).toBe(last)
      expect(end - start).toBeLessThanOrEqual(25)
      last = end
    }
    expect(last).toBe(2000 * SECONDS)
  })
})

describe('less than 100 ms', () => {
  it.each(['phrase', 'agreement', 'alignatt'] as const)('is not decoded (%s)', async (policy) => {
    const { live, host } = openStream({ vad: false, policy })
    const events = readAll(live)
    live.write(loud(3))
    await live.flush()
    live.write(loud(3))
    await live.finish()
    expect(host.calls).toEqual([])
    await settled()
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 3', 'speech-start 3', 'speech-end 6'])
  })
})

describe('statistics', () => {
  it('tell how far the decoding is behind', async () => {
    const { live, say, answer } = openStream({ partials: true })
    const events = readAll(live)
    const stats = () => events.findLast((event): event is StreamStatsEvent => event.type === 'stats')
    await say(loud(32))
    await say(loud(60))
    await answer(' So', { wallSeconds: 2, gpuNodes: 7, cpuNodes: 3 })
    expect(stats()).toMatchObject({
      lag: 60 * SECONDS,
      realTimeFactor: (32 * SECONDS) / 2,
      bufferedSeconds: 92 * SECONDS,
      gpuNodes: 7,
      cpuNodes: 3,
    })
    await answer(' So', { wallSeconds: 2, gpuNodes: 7, cpuNodes: 3 })
    expect(stats()).toMatchObject({ lag: 0, realTimeFactor: (92 * SECONDS) / 4, gpuNodes: 14, cpuNodes: 6 })
  })

  it('and all else are of one stream', async () => {
    const host = new FakeHost()
    const [first, second] = [openStream({}, host), openStream({}, host)]
    const [firstEvents, secondEvents] = [readAll(first.live), readAll(second.live)]
    await first.say(loud(30), quiet(PAUSE))
    await second.say(loud(60), quiet(PAUSE))
    await first.answer(' One.')
    await second.answer(' Two.')
    expect(inShort(firstEvents).at(-1)).toBe('final 0 "One." silence')
    expect(inShort(secondEvents).at(-1)).toBe('final 0 "Two." silence')
    for (const events of [firstEvents, secondEvents]) expect(events.at(-1)).toMatchObject({ cpuNodes: 10 })
  })
})
