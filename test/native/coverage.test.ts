import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../scripts/support/package.mjs'
import { material, scratchFolder } from '../fixtures/material.ts'
import { readWav } from './speech-samples.ts'
import { greedy, speaking, withModel } from './support.ts'

let scratch: Awaited<ReturnType<typeof scratchFolder>>
let program: string

beforeAll(async () => {
  scratch = await scratchFolder()
  program = join(scratch.path, 'coverage')
  execFileSync('g++', [
    ...['-std=c++17', '-O2', '-D_GLIBCXX_ASSERTIONS', `-I${join(packageRoot, 'binding')}`],
    join(packageRoot, 'test', 'native', 'coverage.cpp'),
    join(packageRoot, 'binding', 'transcribe', 'coverage.cpp'),
    ...['-o', program],
  ])
})
afterAll(() => scratch?.[Symbol.asyncDispose]())

type Span = [first: number, end: number]

/** @param speech seconds in which somebody speaks, of `seconds` */
function probabilities(seconds: number, speech: readonly Span[]): Float32Array<ArrayBuffer> {
  const at = (i: number) => (i + 0.5) * 0.032
  return Float32Array.from({ length: Math.ceil(seconds / 0.032) }, (_, i) =>
    speech.some(([start, end]) => start <= at(i) && at(i) < end) ? 0.9 : 0.1,
  )
}

function run(command: string, numbers: readonly number[], input = new Float32Array()): number[][] {
  const args = [command, ...numbers.map(String)]
  const output = execFileSync(program, args, { input: new Uint8Array(input.buffer), encoding: 'utf8' })
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ').map(Number))
}

/** In seconds, to a twentieth. */
const seconds = (spans: number[][]) => spans.map((span) => span.map((frame) => Math.round(frame / 5) / 20))

describe('speech without a text', () => {
  it.each<[string, Span[], Span[], Span[]]>([
    ['nothing where the text reaches all of it', [[0, 28]], [[0, 28]], []],
    ['nothing in silence', [[0, 4]], [[0, 4]], []],
    ['nothing of three seconds', [[0, 10]], [[0, 7.1]], []],
    ['what follows the text', [[0, 28]], [[0, 6]], [[6, 28]]],
    ['what precedes it', [[0, 28]], [[9, 28]], [[0, 9]]],
    [
      'what lies between two texts',
      [[0, 28]],
      [
        [0, 6],
        [12, 28],
      ],
      [[6, 12]],
    ],
    ['all, without a text', [[2, 28]], [], [[2, 28]]],
    [
      'without the silence around it',
      [
        [0, 6],
        [12, 18],
        [26, 30],
      ],
      [
        [0, 6],
        [26, 30],
      ],
      [[12, 18]],
    ],
    [
      'in several pieces, added up',
      [
        [0, 4],
        [6, 8],
        [10, 12],
        [14, 18],
      ],
      [
        [0, 4],
        [14, 18],
      ],
      [[6, 12]],
    ],
    [
      'not short pieces that do not add up',
      [
        [0, 4],
        [6, 7.4],
        [10, 11.4],
        [14, 18],
      ],
      [
        [0, 4],
        [14, 18],
      ],
      [],
    ],
    [
      'each stretch by itself',
      [[0, 30]],
      [
        [5, 10],
        [15, 30],
      ],
      [
        [0, 5],
        [10, 15],
      ],
    ],
    [
      'under texts that overlap',
      [[0, 28]],
      [
        [0, 20],
        [5, 8],
        [9, 12],
      ],
      [[20, 28]],
    ],
  ])('is %s', (_, speech, spoken, lost) => {
    const spans = spoken.flat().map((time) => Math.round(time * 100))
    const found = run('unspoken', [0, 3000, ...spans], probabilities(30, speech))
    // A frame of the network is 32 ms.
    expect(found.length).toBe(lost.length)
    for (const [i, span] of found.entries()) {
      expect(Math.abs((span[0] as number) / 100 - (lost[i] as Span)[0])).toBeLessThan(0.04)
      expect(Math.abs((span[1] as number) / 100 - (lost[i] as Span)[1])).toBeLessThan(0.04)
    }
  })

  it('is measured in frames of 10 ms, beyond the end of the audio as silence', () => {
    const heard = probabilities(10, [[2, 4]])
    expect(Math.abs((run('within', [0, 1000], heard)[0]?.[0] ?? 0) - 200)).toBeLessThan(4)
    expect(run('within', [1000, 5000], heard)).toEqual([[0]])
    expect(run('within', [0, 1000])).toEqual([[0]])
  })

  it('adds up whatever it is split into', () => {
    const heard = Float32Array.from({ length: 300 }, (_, i) => ((i * 7919) % 10) / 10)
    const cuts = fc.array(fc.integer({ min: 0, max: 960 }), { minLength: 1, maxLength: 3 })
    const all = run('within', [0, 960], heard)[0]?.[0] ?? 0
    fc.assert(
      fc.property(cuts, (places) => {
        const bounds = [0, ...places.toSorted((a, b) => a - b), 960]
        const parts = bounds
          .slice(1)
          .map((end, i) => run('within', [bounds[i] as number, end], heard)[0]?.[0] ?? 0)
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(all)
      }),
      { numRuns: 20 },
    )
  })

  it('is cut at pauses when it is long', () => {
    const heard = probabilities(30, [
      [0, 7.5],
      [8.5, 16],
      [17, 29],
    ])
    expect(seconds(run('parts', [0, 3000, 1000], heard))).toEqual([
      [0, 7.5],
      [8.5, 16],
      [17, expect.closeTo(26.8, 0)],
      [expect.closeTo(26.8, 0), 29],
    ])
    expect(run('parts', [0, 3000, 1000], probabilities(30, []))).toEqual([])
  })
})

describe('a text that may be too short', () => {
  it.each([
    ['3 words in 20 s of speech', 2000, 4, 1],
    ['a slow speaker', 2000, 45, 0],
    ['3 words in 3 s', 300, 4, 0],
    ['nothing in 3 s', 300, 0, 0],
  ])('%s', (_, voiced, tokens, sparse) => {
    expect(run('sparse', [voiced, tokens])).toEqual([[sparse]])
  })
})

describe('a model that loses speech', () => {
  /** 5 s of speech, as often as wanted. */
  const speech = async (times: number) => {
    const samples = readWav(await material('librivox-0870.wav')).subarray(0, 5 * 16_000)
    const all = new Float32Array(times * samples.length)
    for (let i = 0; i < times; i++) all.set(samples, i * samples.length)
    return all
  }

  it('is asked again for what follows its text, as often as that helps', async () => {
    const model = speaking({ script: [{ text: 'word', start: 0, end: 4 }] })
    const audio = await speech(4)
    await withModel(model, async (loaded) => {
      const { segments, warnings } = await loaded.transcribe(audio, greedy)
      expect(segments.map(({ text }) => text)).toEqual(['word', 'word', 'word', 'word', 'word'])
      expect(segments.map(({ start }) => Math.floor(start / 4))).toEqual([0, 1, 2, 3, 4])
      expect(warnings).toEqual([])
    })
  })

  it('is not asked for ever where it gets nowhere', async () => {
    const model = speaking({ script: [{ text: 'word', start: 0, end: 0.2 }] })
    const audio = await speech(4)
    await withModel(model, async (loaded) => {
      const { segments, warnings } = await loaded.transcribe(audio, greedy)
      expect(segments.length).toBeGreaterThan(1)
      expect(segments.length).toBeLessThan(10)
      expect(warnings[0]).toMatchObject({ code: 'SPEECH_NOT_TRANSCRIBED' })
      const lost = warnings.reduce((sum, { start = 0, end = 0 }) => sum + end - start, 0)
      expect(lost).toBeGreaterThan(12)
    })
  })

  it('is told of when it writes nothing', async () => {
    const model = speaking({ script: [{ text: ' ', start: 0, end: 8 }] })
    await withModel(model, async (loaded) => {
      const { text, warnings } = await loaded.transcribe(await speech(2), greedy)
      expect(text).toBe('')
      expect(warnings).toEqual([
        {
          code: 'SPEECH_NOT_TRANSCRIBED',
          message: expect.any(String),
          start: expect.closeTo(0, 0),
          end: expect.closeTo(10, 0),
        },
      ])
    })
  })

  it('is asked again for a sentence between two texts, and for the beginning', async () => {
    const model = speaking({
      script: [
        { text: 'one', start: 5, end: 7 },
        { text: 'two', start: 14, end: 20 },
      ],
    })
    await withModel(model, async (loaded) => {
      const { segments } = await loaded.transcribe(await speech(4), greedy)
      const starts = segments.map(({ start }) => start)
      expect(starts).toEqual(starts.toSorted((a, b) => a - b))
      expect(segments.length).toBeGreaterThan(2)
    })
  })

  it('may leave speech out where a limit or a grammar does', async () => {
    const model = speaking({ script: [{ text: 'word', start: 0, end: 2 }] })
    const audio = await speech(3)
    await withModel(model, async (loaded) => {
      const limited = await loaded.transcribe(audio, { ...greedy, maxTokens: 8 })
      expect([limited.text, limited.warnings]).toEqual(['word', []])
    })
  })

  it('is not asked about sound without speech', async () => {
    const model = speaking({ script: [{ text: 'word', start: 0, end: 1 }] })
    const noise = Float32Array.from({ length: 20 * 16_000 }, (_, i) => 0.3 * Math.sin(i / 7))
    await withModel(model, async (loaded) => {
      const { segments, warnings } = await loaded.transcribe(noise, greedy)
      expect([segments.length, warnings]).toEqual([1, []])
    })
  })
})
