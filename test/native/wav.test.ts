import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AudioInput, loadModel, type Model } from '../../lib/index.ts'
import { encodeF32 } from '../fixtures/encode.ts'
import { buildGgml } from '../fixtures/ggml-builder.ts'
import { generator } from '../fixtures/tiny-model.ts'
import { cpu, greedy, writeTemporary } from './support.ts'
import { buildWav, companded, integers, type Wav } from './wav.ts'

/**
 * What the addon decodes cannot be looked at, but it can be heard: a model with random weights answers each sound with
 * probabilities of its own. Equal answers mean equal samples. The FLAC files need ffmpeg to be made.
 */
let model: Model

beforeAll(async () => {
  model = await loadModel(buildGgml({ audioContext: 200, layers: 1 }), cpu)
})
afterAll(() => model.dispose())

async function hear(audio: AudioInput): Promise<{ duration: number; answer: number[] }> {
  const options = { ...greedy, maxTokens: 8, timestamps: 'none', logProbThreshold: -Infinity } as const
  const { duration, segments } = await model.transcribe(audio, options)
  return { duration, answer: segments.flatMap(({ tokens }) => tokens.map(({ probability }) => probability)) }
}

/** Tones and noise: two seconds. */
const random = generator(11)
const sound = Float32Array.from({ length: 32_000 }, (_, i) => {
  const tones = 0.3 * Math.sin(i / 3.1) * Math.sin(i / 900) + 0.2 * Math.sin(i / 17)
  return Math.fround(tones + (0.1 * (random() % 1000)) / 1000)
})
const wav16 = { format: 1, bits: 16, data: integers(sound, 16) }
const quantised = Int16Array.from(sound, (sample) => Math.round(sample * 32768))
const pcm16 = { samples: quantised, sampleRate: 16_000, channels: 1 }

describe('the ear of these tests', () => {
  it('hears the smallest differences', async () => {
    const { answer } = await hear(sound)
    expect(answer.length).toBeGreaterThan(4)
    expect((await hear(sound.slice())).answer).toEqual(answer)
    for (const other of [
      sound.map((sample) => sample * 0.999),
      sound.map((sample) => sample + 0.001),
      sound.subarray(1),
      sound.map((sample, i) => (i % 1000 === 0 ? -sample : sample)),
    ]) {
      expect((await hear(other)).answer).not.toEqual(answer)
    }
  })
})

describe('a WAV file', () => {
  const f64 = new Uint8Array(Float64Array.from(sound).buffer)
  const twentyFour = Float32Array.from(sound, (sample) => Math.round(sample * 2 ** 23) / 2 ** 23)
  const alaw = companded(sound, 'A')
  const mulaw = companded(sound, 'mu')

  it.each<[string, Wav, Float32Array | typeof pcm16]>([
    ['16 bits', wav16, pcm16],
    ['24 bits', { format: 1, bits: 24, data: integers(sound, 24) }, twentyFour],
    ['32 bits', { format: 1, bits: 32, data: integers(sound, 32) }, sound],
    ['32-bit floats', { format: 3, bits: 32, data: encodeF32(sound) }, sound],
    ['64-bit floats', { format: 3, bits: 64, data: f64 }, sound],
    ['A-law', { format: 6, bits: 8, data: alaw.codes }, alaw.samples],
    ['mu-law', { format: 7, bits: 8, data: mulaw.codes }, mulaw.samples],
    ['16 bits in the extensible form', { ...wav16, format: 0xfffe }, pcm16],
    [
      'floats in the extensible form',
      { format: 0xfffe, subFormat: 3, bits: 32, data: encodeF32(sound) },
      sound,
    ],
    ['16 bits in RF64', { ...wav16, container: 'RF64' }, pcm16],
  ])('of %s is heard as its samples', async (name, wav, samples) => {
    const expected = await hear(samples)
    for (const input of [writeTemporary(`${name}.wav`, buildWav(wav)), buildWav(wav)]) {
      expect(await hear(input)).toEqual(expected)
    }
  })

  it('of 8 bits is heard as its samples, and its middle as silence', async () => {
    const eight = Float32Array.from(sound, (sample) => Math.round(sample * 128) / 128)
    const expected = await hear(eight)
    const { duration, answer } = await hear(buildWav({ format: 1, bits: 8, data: integers(sound, 8) }))
    expect(duration).toBe(2)
    for (const [i, value] of answer.entries())
      expect(value / (expected.answer[i] as number)).toBeCloseTo(1, 2)
    const silence = buildWav({ format: 1, bits: 8, data: new Uint8Array(32_000).fill(128) })
    expect(await hear(silence)).toEqual({ duration: 2, answer: [] })
  })

  it.each<[string, Partial<Wav>]>([
    ['a size of 0', { dataSize: 0, riffSize: 0 }],
    ['sizes of 0xffffffff', { dataSize: 0xffffffff, riffSize: 0xffffffff }],
    ['a size that goes beyond the end', { dataSize: 1_000_000 }],
    [
      'chunks before the data',
      {
        chunks: [
          ['LIST', new Uint8Array(5000)],
          ['odd ', new Uint8Array(7)],
        ],
      },
    ],
    ['an unknown chunk of nothing', { chunks: [['none', new Uint8Array(0)]] }],
    ['rubbish behind the data', { trailer: Uint8Array.of(1, 2, 3) }],
  ])('with %s is heard as its samples', async (_, change) => {
    expect(await hear(buildWav({ ...wav16, ...change }))).toEqual(await hear(pcm16))
  })

  it.each([1, 2, 1001, 31_999])(
    'that was cut %d bytes before its end is heard as far as it goes',
    async (cut) => {
      const bytes = buildWav(wav16)
      const heard = await hear(bytes.subarray(0, bytes.length - cut))
      const left = Math.floor((64_000 - cut) / 2)
      expect(heard.duration).toBe(left / 16_000)
      expect(heard).toEqual(await hear({ ...pcm16, samples: quantised.subarray(0, left) }))
    },
  )

  it('without a sample is empty', async () => {
    const empty = buildWav({ ...wav16, data: new Uint8Array(0) })
    expect(await hear(empty)).toEqual({ duration: 0, answer: [] })
  })

  it('of several channels is heard as their mean', async () => {
    const samples = Float32Array.from({ length: 2 * sound.length }, (_, i) =>
      Math.fround((sound[i >> 1] as number) * (i % 2 === 0 ? 0.375 : 0.625)),
    )
    const expected = await hear(sound.map((sample) => sample / 2))
    const stereo = await hear(buildWav({ format: 3, bits: 32, channels: 2, data: encodeF32(samples) }))
    expect(stereo.duration).toBe(2)
    for (const [i, value] of stereo.answer.entries())
      expect(value / (expected.answer[i] as number)).toBeCloseTo(1, 2)
    expect(await hear({ samples, sampleRate: 16_000, channels: 2 })).toEqual(stereo)
  })

  it.each([8000, 11_025, 22_050, 44_100, 48_000, 96_000])(
    'of %d Hz is heard as PCM of that rate',
    async (sampleRate) => {
      const heard = await hear(buildWav({ ...wav16, sampleRate }))
      expect(heard.duration).toBeCloseTo(32_000 / sampleRate, 3)
      expect(heard).toEqual(await hear({ ...pcm16, sampleRate }))
    },
  )
})

describe('a FLAC file', () => {
  it.each([
    ['16 bits', wav16, 's16'],
    ['24 bits', { format: 1, bits: 24, data: integers(sound, 24) }, 's32'],
  ] as const)('of %s is heard as the WAV file that it was made of', async (_, wav, format) => {
    const bytes = buildWav(wav)
    const encoder = ['-v', 'error', '-i', '-', '-sample_fmt', format, '-f', 'flac', '-']
    expect(await hear(execFileSync('ffmpeg', encoder, { input: bytes }))).toEqual(await hear(bytes))
  })
})
