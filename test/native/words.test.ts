import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Segment } from '../../lib/index.ts'
import { packageRoot } from '../../scripts/support/package.mjs'
import { buildGgml } from '../fixtures/ggml-builder.ts'
import { scratchFolder } from '../fixtures/material.ts'
import { greedy, hum, speaking, withModel } from './support.ts'

let scratch: Awaited<ReturnType<typeof scratchFolder>>
let program: string

beforeAll(async () => {
  scratch = await scratchFolder()
  program = join(scratch.path, 'words')
  const whisper = join(packageRoot, 'vendor', 'whisper.cpp')
  const includes = [join(packageRoot, 'binding'), join(whisper, 'include'), join(whisper, 'ggml', 'include')]
  const sources = ['words', 'token_times', 'text_assembler']
  execFileSync('g++', [
    ...['-std=c++17', '-O2', '-D_GLIBCXX_ASSERTIONS', ...includes.map((folder) => `-I${folder}`)],
    join(packageRoot, 'test', 'native', 'words.cpp'),
    ...sources.map((name) => join(packageRoot, 'binding', 'transcribe', `${name}.cpp`)),
    ...['-o', program],
  ])
})
afterAll(() => scratch?.[Symbol.asyncDispose]())

function lines(args: readonly (string | number)[], input: Float32Array | string): string[] {
  const bytes = typeof input === 'string' ? input : new Uint8Array(input.buffer)
  return execFileSync(program, args.map(String), { input: bytes, encoding: 'utf8' }).trim().split('\n')
}

describe('the path through the costs', () => {
  it('is the cheapest one', () => {
    const sizes = fc.record({ rows: fc.integer({ min: 1, max: 6 }), columns: fc.integer({ min: 1, max: 8 }) })
    const matrix = sizes.chain(({ rows, columns }) => {
      const cost = fc.integer({ min: -20, max: 20 })
      const costs = fc.array(cost, { minLength: rows * columns, maxLength: rows * columns })
      return fc.record({ rows: fc.constant(rows), columns: fc.constant(columns), costs })
    })
    fc.assert(
      fc.property(matrix, ({ rows, columns, costs }) => {
        const first = lines(['path', rows, columns], Float32Array.from(costs)).map(Number)
        expect(first).toHaveLength(rows)
        expect(first).toEqual(first.toSorted((a, b) => a - b))
        expect(first[0]).toBe(0)
        expect(costOf(first, costs, columns)).toBe(leastCost(rows, columns, costs))
      }),
      { numRuns: 200 },
    )
  })
})

/** Of the cheapest path on which the rows begin at these columns: a row begins where the one before ends, or after that. */
function costOf(first: readonly number[], costs: readonly number[], columns: number): number {
  let sum = 0
  for (const [row, begin] of first.entries()) {
    const next = first[row + 1]
    const end = next ?? columns - 1
    for (let column = begin; column < end; column++) sum += costs[row * columns + column] ?? Number.NaN
    const last = costs[row * columns + end] ?? Number.NaN
    sum += next === undefined || next === begin ? last : Math.min(last, 0)
  }
  return sum
}

/** By trying all ways. */
function leastCost(
  rows: number,
  columns: number,
  costs: readonly number[],
  known = new Map<number, number>(),
): number {
  const at = (row: number, column: number): number => {
    const key = row * columns + column
    const cost = costs[key] ?? Number.NaN
    if (row === 0 && column === 0) return cost
    const before = known.get(key)
    if (before !== undefined) return before
    const ways = [
      row > 0 ? at(row - 1, column) : Number.POSITIVE_INFINITY,
      column > 0 ? at(row, column - 1) : Number.POSITIVE_INFINITY,
      row > 0 && column > 0 ? at(row - 1, column - 1) : Number.POSITIVE_INFINITY,
    ]
    const found = cost + Math.min(...ways)
    known.set(key, found)
    return found
  }
  return at(rows - 1, columns - 1)
}

describe('the times of tokens', () => {
  /** Weights of heads that look at where each token is spoken, of which the first `start` rows look anywhere. */
  function attention({
    spoken = [] as [number, number][],
    start = 3,
    heads = 2,
    positions = 1536,
    noise = 0,
  }) {
    let state = 1
    const random = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return state / 0x7fffffff
    }
    const rows = start + spoken.length
    const weights = new Float32Array(heads * rows * positions)
    for (let head = 0; head < heads; head++) {
      for (let row = 0; row < rows; row++) {
        const [from, to] = spoken[row - start + 1] ?? [0, 0]
        for (let i = 0; i < positions; i++) {
          const inside = i >= from && i < to ? 1 : 0.01
          weights[(head * rows + row) * positions + i] = inside + noise * random()
        }
      }
    }
    return { weights, args: ['times', heads, rows, positions, start] as const }
  }
  const spoken: [number, number][] = [
    [10, 30],
    [30, 45],
    [60, 100],
    [100, 175],
    [180, 200],
  ]

  it.each([
    ['clearly', 0],
    ['among noise', 0.3],
  ])('are where the heads look (%s)', (_, noise) => {
    const { weights, args } = attention({ spoken, noise, heads: 6 })
    const times = lines([...args, 440], weights).map(Number)
    expect(times).toHaveLength(spoken.length + 1)
    expect(times[0]).toBe(0)
    for (const [i, [from]] of spoken.entries()) {
      if (i > 0) expect(Math.abs((times[i] ?? 99) - 0.02 * from), `token ${i}`).toBeLessThanOrEqual(0.4)
    }
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  it('do not lie in the padding, whatever is seen there', () => {
    const { weights, args } = attention({ spoken })
    const clean = lines([...args, 440], weights)
    const positions = 1536
    const spoilt = weights.map((weight, i) => (i % positions >= 220 ? 50 : weight))
    expect(lines([...args, 440], spoilt)).toEqual(clean)
    for (const time of clean.map(Number)) expect(time).toBeLessThanOrEqual(4.4)
  })

  it('are ascending and within the audio where the heads see nothing', () => {
    for (const weights of [0, 1, Number.NaN]) {
      const { args } = attention({ spoken })
      const flat = new Float32Array(2 * (3 + spoken.length) * 1536).fill(weights)
      const times = lines([...args, 440], flat).map(Number)
      expect(times).toHaveLength(spoken.length + 1)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      expect(times.at(-1)).toBeLessThanOrEqual(4.4)
    }
  })
})

describe('tokens become words', () => {
  interface Joined {
    text: string
    start: number
    end: number
    probability: number
    tokens: number
  }
  /** Tokens of 0.1 s one after the other, or at the given times. */
  function words(
    language: string,
    tokens: readonly (string | number[])[],
    times?: readonly number[],
  ): Joined[] {
    const at = times ?? Array.from({ length: tokens.length + 1 }, (_, i) => i / 10)
    const input = tokens.map((token, i) => {
      const bytes = typeof token === 'string' ? Buffer.from(token) : Buffer.from(token)
      return `${bytes.toString('hex')} ${at[i]} 0.${i % 10}\n`
    })
    return lines(['join', language], `${input.join('')}${at.at(-1)}\n`).map((line) => {
      const [text = '', start, end, probability, count] = line.split(' ')
      return {
        text: Buffer.from(text, 'hex').toString(),
        start: Number(start),
        end: Number(end),
        probability: Number(probability),
        tokens: Number(count),
      }
    })
  }
  const texts = (language: string, ...tokens: string[]) => words(language, tokens).map(({ text }) => text)

  it('at spaces', () => {
    expect(texts('en', ' some', 'body', ' came', ' in')).toEqual([' somebody', ' came', ' in'])
    expect(texts('en', 'And', ' so')).toEqual(['And', ' so'])
  })

  it('with their times, the mean of their probabilities, and their tokens', () => {
    expect(words('en', [' some', 'body', ' came'])).toEqual([
      { text: ' somebody', start: 0, end: 0.2, probability: 0.05, tokens: 2 },
      { text: ' came', start: 0.2, end: 0.3, probability: 0.2, tokens: 1 },
    ])
  })

  it('with the punctuation around them', () => {
    expect(
      texts('en', ' Yes', ',', ' he', ' said', '...', ' "', 'No', '!"', ' (', 'maybe', ')', '.'),
    ).toEqual([' Yes,', ' he', ' said...', ' "No!"', ' (maybe).'])
    expect(texts('en', ' it', "'s", ' 10', '%', ' e', '-', 'mail')).toEqual([" it's", ' 10%', ' e-mail'])
    expect(texts('es', ' ¿', 'Qué', '?')).toEqual([' ¿Qué?'])
  })

  it('of one character where there are no spaces', () => {
    expect(texts('ja', '今日', 'は', '「', 'はい', '」', '。')).toEqual(['今日', 'は', '「はい」。'])
    expect(texts('th', 'สวัส', 'ดี')).toEqual(['สวัส', 'ดี'])
    expect(texts('en', '今日', 'は')).toEqual(['今日は'])
  })

  it('of whole characters, however the tokens cut them', () => {
    const [a, b] = [[...Buffer.from('あ')], [...Buffer.from('い')]]
    const cut = [a.slice(0, 1), a.slice(1), b.slice(0, 2), b.slice(2)]
    expect(words('ja', cut)).toMatchObject([
      { text: 'あ', start: 0, end: 0.2, tokens: 2 },
      { text: 'い', start: 0.2, end: 0.4, tokens: 2 },
    ])
    expect(words('en', [' x', a.slice(0, 1), a.slice(1)]).map(({ text }) => text)).toEqual([' xあ'])
  })

  it('of valid text, though the bytes are none', () => {
    expect(words('en', [' A', [0xe3, 0x81]]).map(({ text }) => text)).toEqual([' A\ufffd'])
    expect(
      words('ja', [[0xff], [0x41], [0xe3]])
        .map(({ text }) => text)
        .join(''),
    ).toBe('\ufffdA\ufffd')
  })

  it('that do not reach over a pause', () => {
    const tokens = [' Yes', '.', ' Well', ' we', ' go', ' now', '.']
    const times = [0, 0.3, 0.4, 5, 5.2, 5.4, 9.6, 9.7]
    const found = words('en', tokens, times)
    expect(found.map(({ text }) => text)).toEqual([' Yes.', ' Well', ' we', ' go', ' now.'])
    // The first of a sentence ends where it ends, the last one begins where it begins.
    expect(found[1]?.end).toBe(5)
    expect(found[1]?.start).toBeGreaterThan(4)
    expect(found.at(-1)?.start).toBe(5.4)
    expect(found.at(-1)?.end).toBeLessThan(6.5)
  })

  it('that are not drawn out over a pause inside of a sentence', () => {
    const tokens = [' my', ' fellow', ' friends', ' ask', ' not', ' what']
    const [, , friends, ask] = words('en', tokens, [0, 0.3, 0.7, 1.2, 11, 11.4, 11.8])
    expect(friends?.end).toBe(1.2)
    expect(ask?.end).toBe(11)
    expect(ask?.start).toBeGreaterThan(9.5)
    // Nobody speaks alike: some words are long.
    const slow = words('en', tokens, [0, 0.3, 0.7, 1.2, 2.4, 2.8, 3.2])
    expect(slow[3]).toMatchObject({ start: 1.2, end: 2.4 })
  })

  it('whose text joined is that of the tokens, in order of time, whatever they are', () => {
    const piece = fc.constantFrom(
      ' a',
      'b',
      ' c',
      ',',
      '.',
      ' "',
      '"',
      ' (',
      ')',
      ' -',
      '-',
      '日',
      '本',
      '。',
      '「',
      ' ',
      '...',
      '\u0301',
    )
    const gaps = fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 31, maxLength: 31 })
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 30 }),
        gaps,
        fc.constantFrom('en', 'ja'),
        (tokens, steps, language) => {
          let now = 0
          const times = [0, ...tokens.map((_, i) => (now += steps[i] ?? 0))]
          const found = words(language, tokens, times)
          expect(found.map(({ text }) => text).join('')).toBe(tokens.join(''))
          expect(found.reduce((sum, word) => sum + word.tokens, 0)).toBe(tokens.length)
          let last = 0
          for (const { start, end } of found) {
            expect(start).toBeGreaterThanOrEqual(last - 0.001)
            expect(end).toBeGreaterThanOrEqual(start)
            last = end
          }
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('transcribe() with the times of words', () => {
  function expectSound(segments: readonly Segment[]): void {
    let last = 0
    for (const { start, end, text, words } of segments) {
      expect(words?.map((word) => word.text).join('')).toBe(text)
      for (const word of words ?? []) {
        expect(word.start).toBeGreaterThanOrEqual(Math.max(start, last))
        expect(word.end).toBeGreaterThanOrEqual(word.start)
        expect(word.end).toBeLessThanOrEqual(end)
        expect(Object.keys(word).toSorted()).toEqual(['end', 'probability', 'start', 'text'])
        last = word.start
      }
    }
  }

  it('has the words of each segment, inside of it, in every window', async () => {
    const script = [
      { text: ' Hello there, (you) "and" so...', start: 0, end: 3 },
      { text: ' Grüße 👩‍👩‍👧‍👦 x', start: 4, end: 5 },
    ]
    await withModel(speaking({ script }), async (model) => {
      const { segments, text } = await model.transcribe(hum(65), { ...greedy, timestamps: 'word' })
      expect(segments[2]?.words?.map((word) => word.text)).toEqual([
        ' Hello',
        ' there,',
        ' (you)',
        ' "and"',
        ' so...',
      ])
      expect(segments[3]?.words?.map((word) => word.text)).toEqual([' Grüße', ' 👩‍👩‍👧‍👦', ' x'])
      expectSound(segments)
      // Its time is that of the words, near to the time stamps, and all else is as it is without.
      const without = await model.transcribe(hum(65), greedy)
      expect(without.segments.map(({ start }) => start)).toEqual([0, 4, 30, 34, 60, 64])
      const bare = ({ words: _, start: __, end: ___, ...segment }: Segment) => segment
      expect(segments.map(bare)).toEqual(without.segments.map(bare))
      for (const [i, { start, end, words = [] }] of segments.entries()) {
        expect([start, end]).toEqual([words[0]?.start, words.at(-1)?.end])
        const stamps = without.segments[i] as Segment
        expect(start).toBeGreaterThanOrEqual(stamps.start - 1)
        expect(end).toBeLessThanOrEqual(stamps.end + 1)
      }
      expect(text).toBe(without.text)
      for (const segment of without.segments) expect('words' in segment).toBe(false)
    })
  })

  it('has characters where a language has no spaces', async () => {
    const script = [{ text: '日本語。「はい」', start: 0, end: 3 }]
    await withModel(speaking({ script, multilingual: true }), async (model) => {
      const { segments } = await model.transcribe(hum(5), { ...greedy, language: 'ja', timestamps: 'word' })
      expect(segments[0]?.words?.map(({ text }) => text)).toEqual(['日', '本', '語。', '「は', 'い」'])
      expectSound(segments)
    })
  })

  it('has sound words of whatever a model babbles', async () => {
    for (const seed of [1, 2, 3, 4]) {
      await withModel(buildGgml({ seed, audioContext: seed % 2 ? 64 : 1500, layers: 2 }), async (model) => {
        for (const way of [
          { temperature: 0, beamSize: 2 },
          { temperature: 0.9, bestOf: 2 },
        ]) {
          const options = { language: 'en', maxTokens: 40, timestamps: 'word', ...way } as const
          const thresholds = { compressionRatioThreshold: null, logProbThreshold: Number.NEGATIVE_INFINITY }
          const { segments } = await model.transcribe(hum(12), { ...options, ...thresholds })
          expect(segments.length).toBeGreaterThan(0)
          expectSound(segments)
        }
      })
    }
  })
})
