import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addon, loadBackends } from '../../lib/backend/addon.ts'
import { readLegacyGgml } from '../../lib/model/formats/legacy-ggml.ts'
import { toNativePlan } from '../../lib/model/plan-to-native.ts'
import { bytesSource } from '../../lib/model/sources.ts'
import type { NativeHypothesisOptions, NativeModel, NativeTranscribeOptions } from '../../lib/native.ts'
import { Pacer } from '../../lib/pacer.ts'
import { parseTranscribeOptions } from '../../lib/transcribe/options.ts'
import { assembleGgml, buildGgml, ggmlParts } from '../fixtures/ggml-builder.ts'
import { expectNothingLeft, hum, pause, rejection, speaking } from './support.ts'

const RATE = 16_000
const models: NativeModel[] = []

/** A model as the addon gives it. */
async function load(bytes: Uint8Array): Promise<NativeModel> {
  await loadBackends()
  const store = new (addon().native.ByteStore)()
  store.append(bytes, false)
  const plan = toNativePlan(await readLegacyGgml(bytesSource(bytes), new Pacer()), () => store)
  const options = {
    backend: 'cpu',
    device: 0,
    allowPartial: true,
    flashAttention: true,
  } as const
  const model = await addon().native.loadModel(plan, options, () => {}).result
  models.push(model)
  return model
}
afterAll(async () => {
  for (const model of models) await model.dispose()
  models.length = 0
  await expectNothingLeft()
})

function source(samples: Float32Array) {
  const store = new (addon().native.ByteStore)()
  store.append(samples, false)
  return { kind: 'pcm', store, format: 'f32', sampleRate: RATE, channels: 1 } as const
}

const plain: NativeHypothesisOptions = {
  language: 'en',
  languages: [],
  translate: false,
  prompt: [],
  prefix: [],
  beamSize: 1,
  audioContext: 0,
  suppressBlank: false,
  suppressNonSpeech: false,
  suppressTokens: [],
  maxTokens: 100,
  threads: 1,
}
const guess = (model: NativeModel, changed: Partial<NativeHypothesisOptions> = {}, samples = hum(2)) =>
  model.hypothesize(source(samples), { ...plain, ...changed }).result

/** Without what depends on the clock. */
const said = async (...args: Parameters<typeof guess>) => {
  const { wallSeconds: _, ...rest } = await guess(...args)
  return rest
}
const textOf = ({ words }: { words: { text: string }[] }) => words.map(({ text }) => text).join('')

const sentence = ' So it goes, and goes.'
let speaker: NativeModel
/** Says something random. */
let babbler: NativeModel
beforeAll(async () => {
  speaker = await load(speaking({ script: [{ text: sentence, start: 0, end: 29 }], audioContext: 1500 }))
  babbler = await load(buildGgml({ multilingual: true }))
})

describe('a guess', () => {
  it('is the text, as words with their tokens', async () => {
    const { words, ...rest } = await guess(speaker, { maxTokens: sentence.length })
    expect(words.map(({ text, tokens }) => [text, tokens.length])).toEqual([
      [' So', 3],
      [' it', 3],
      [' goes,', 6],
      [' and', 4],
      [' goes.', 6],
    ])
    expect(rest).toMatchObject({ language: 'en', languageProbability: 1, continues: false, repeats: false })
    expect(rest.averageLogProbability).toBeLessThanOrEqual(0)
    expect(rest.cpuNodes).toBeGreaterThan(0)
    expect(rest.wallSeconds).toBeGreaterThan(0)
  })

  it('goes on from its prefix', async () => {
    const whole = await guess(speaker, { maxTokens: sentence.length })
    const tokens = whole.words.flatMap((word) => word.tokens)
    for (const [length, rest, continues] of [
      [3, ' it goes, and goes.', false],
      [5, 't goes, and goes.', true],
      [11, ', and goes.', true],
      [sentence.length - 1, '.', true],
    ] as const) {
      const prefix = tokens.slice(0, length)
      const guessed = await guess(speaker, { prefix, maxTokens: sentence.length - length })
      expect([textOf(guessed), guessed.continues]).toEqual([rest, continues])
      expect(guessed.words.flatMap((word) => word.tokens)).toEqual(tokens.slice(length))
    }
  })

  it('has no more tokens than it may', async () => {
    const lengths = await Promise.all(
      [1, 3, 7].map(async (maxTokens) => textOf(await guess(speaker, { maxTokens })).length),
    )
    expect(lengths).toEqual([1, 3, 7])
  })

  it('hears the language where it is not told', async () => {
    const script = [{ text: ' Guten Tag.', start: 0, end: 2 }]
    const german = await load(speaking({ script, multilingual: true, languageId: 2, audioContext: 1500 }))
    const heard = await guess(german, { language: '', maxTokens: 11 })
    expect(heard.language).toBe('de')
    expect(heard.languageProbability).toBeCloseTo(1)
    expect(await guess(german, { language: 'fr', maxTokens: 11 })).toMatchObject({
      language: 'fr',
      languageProbability: 1,
    })
    // A model that knows one language has nothing to hear.
    expect(await guess(speaker, { language: '' })).toMatchObject({ language: 'en', languageProbability: 1 })
  })

  it('has words inside of the audio, in order', async () => {
    for (const beamSize of [1, 3, 8]) {
      for (const seconds of [0.5, 2, 12]) {
        const { words } = await guess(babbler, { beamSize, maxTokens: 20 }, hum(seconds))
        let last = 0
        for (const { start, end } of words) {
          expect(start).toBeGreaterThanOrEqual(last)
          expect(end).toBeGreaterThanOrEqual(start)
          expect(end).toBeLessThanOrEqual(seconds + 0.02)
          last = end
        }
      }
    }
  })

  it('ends where it has come into a loop', async () => {
    const script = [{ text: ' no'.repeat(70), start: 0, end: 29 }]
    const loops = await load(speaking({ script, audioContext: 1500 }))
    const guessed = await guess(loops, { maxTokens: 200 })
    expect(guessed.repeats).toBe(true)
    expect(textOf(guessed).length).toBeLessThan(30)
    expect((await guess(speaker, { maxTokens: sentence.length })).repeats).toBe(false)
  })
})

describe('the audio', () => {
  it.each([0, 1, 100, 1600, 5000])('may be as short as %i samples', async (count) => {
    const { words } = await guess(babbler, { maxTokens: 5 }, hum(count / RATE))
    for (const { end } of words) expect(end).toBeLessThanOrEqual(count / RATE + 0.02)
  })

  it('counts up to 30 s', async () => {
    const long = hum(45)
    const options = { maxTokens: 10 }
    expect(await said(babbler, options, long)).toEqual(await said(babbler, options, long.slice(0, 30 * RATE)))
  })

  it('may be encoded shorter, which is not left behind for the next job', async () => {
    const facts = {
      multilingual: true,
      languages: ['en'],
      vocabularySize: 51_865,
      tokenize: () => [],
      maxThreads: 1,
    }
    const options: NativeTranscribeOptions = parseTranscribeOptions(
      {
        language: 'en',
        beamSize: 1,
        temperature: 0,
        maxTokens: 10,
        noSpeechThreshold: 1,
        logProbThreshold: -100,
      },
      facts,
    ).native
    const transcribe = async () => {
      const segments: unknown[] = []
      const events = { onSegments: (found: unknown[]) => void segments.push(...found), onProgress: () => {} }
      await babbler.transcribe(source(hum(5)), options, events).result
      return segments
    }
    const [before, full] = [await transcribe(), await said(babbler)]
    expect(before.length).toBeGreaterThan(0)
    const short = await said(babbler, { audioContext: 256 })
    expect(short.cpuNodes).toBeGreaterThan(0)
    expect(await transcribe()).toEqual(before)
    expect(await said(babbler)).toEqual(full)
    expect(await said(babbler, { audioContext: 256 })).toEqual(short)
    // More than the model has counts as all.
    expect(await said(babbler, { audioContext: 1500 })).toEqual(full)
  })
})

describe('what comes before', () => {
  const long = new Array<number>(2000).fill(220)

  it('may be longer than there is room', async () => {
    const prefix = new Array(220).fill(220)
    for (const changed of [
      { prompt: long },
      { prefix },
      { prompt: long, prefix },
      { prompt: long, prefix, beamSize: 5 },
    ]) {
      const { words } = await guess(babbler, { ...changed, maxTokens: 30 })
      expect(words.flatMap(({ tokens }) => tokens).length).toBeLessThanOrEqual(30)
    }
  })

  it('leaves room for the text, however long its beginning is', async () => {
    for (const length of [300, 400, 440]) {
      const prefix = new Array(length).fill(220)
      await guess(babbler, { prompt: long, prefix, maxTokens: 200 })
    }
  })

  it('changes what is guessed', async () => {
    const [without, withPrompt] = [await said(babbler), await said(babbler, { prompt: [220, 220, 220] })]
    expect(withPrompt.words).not.toEqual(without.words)
  })
})

describe('the work', () => {
  it('ends when it is cancelled', async () => {
    for (const delay of [0, 1, 5, 20]) {
      const task = babbler.hypothesize(source(hum(30)), { ...plain, maxTokens: 448, beamSize: 8 })
      await pause(delay)
      task.cancel()
      expect(await rejection(task.result)).toMatchObject({ code: 'ERR_CANCELLED' })
    }
  })

  it('tells that the weights are no numbers', async () => {
    const parts = ggmlParts({ layers: 1, audioContext: 64 })
    const norm = parts.records.find(({ name }) => name === 'decoder.ln.weight')
    norm?.data.set([0, 0, 0xc0, 0x7f])
    const damaged = await load(assembleGgml(parts).bytes)
    expect(await rejection(guess(damaged))).toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
  })

  it.each([
    ['no options', undefined],
    ['a prefix that is none', { ...plain, prefix: 'hello' }],
  ])('does not begin with %s', (_, options) => {
    expect(() => babbler.hypothesize(source(hum(1)), options as never)).toThrow()
  })
})
