import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel, type Model, WhisperHipError } from '../../lib/index.ts'
import { generator } from '../fixtures/tiny-model.ts'
import { cpu, greedy, hum, openFiles, speaking, temporaryPath, writeTemporary } from './support.ts'
import { buildWav, integers, type Wav } from './wav.ts'

/** Needs ffmpeg, with its encoders for mp3, flac and vorbis, to make the files. */
let model: Model

beforeAll(async () => {
  model = await loadModel(speaking({ script: [{ text: ' Hi.', start: 0, end: 1 }] }), cpu)
})
afterAll(() => model.dispose())

const SECONDS = 3
const wav = buildWav({ format: 1, bits: 16, data: integers(hum(SECONDS), 16) })

/** Makes a file of the sound; its ending decides the format. */
function encode(name: string, ...options: string[]): string {
  const path = temporaryPath(name)
  const output = ['-map_metadata', '-1', ...options, '-y', path]
  execFileSync('ffmpeg', ['-v', 'error', '-i', '-', ...output], { input: wav })
  return path
}

/** Reads the audio, and decodes none of it to text. */
const lengthOf = async (audio: string | Uint8Array) =>
  (await model.transcribe(audio, { ...greedy, clips: [[900_000, 900_001]] })).duration

describe('a compressed file', () => {
  it.each([
    ['sound.flac', []],
    ['sound-24.flac', ['-sample_fmt', 's32', '-bits_per_raw_sample', '24']],
    ['sound.mp3', ['-b:a', '64k']],
    ['sound-vbr.mp3', ['-q:a', '4', '-ar', '44100', '-ac', '2']],
    ['sound-8k.mp3', ['-ar', '8000', '-b:a', '16k']],
    ['sound-no-xing.mp3', ['-write_xing', '0', '-b:a', '64k']],
    ['sound.ogg', ['-c:a', 'libvorbis']],
    ['sound-48k.ogg', ['-c:a', 'libvorbis', '-ar', '48000', '-ac', '2']],
  ])('%s has the length of the sound, from a path and from bytes', async (name, options) => {
    const path = encode(name, ...options)
    // Without its Xing header an MP3 does not tell what its encoder added.
    const tolerance = name.includes('no-xing') ? 0.1 : 0.001
    for (const input of [path, readFileSync(path)]) {
      expect(Math.abs((await lengthOf(input)) - SECONDS)).toBeLessThan(tolerance)
      expect((await model.transcribe(input, greedy)).text).toBe('Hi.')
    }
  })

  it('behind an ID3 tag is found', async () => {
    const mp3 = readFileSync(encode('tagged.mp3', '-b:a', '64k'))
    const tag = Buffer.from(`ID3\x04\0\0\0\0\x01\0${'\0'.repeat(128)}`, 'latin1')
    expect(await lengthOf(Buffer.concat([tag, mp3]))).toBe(await lengthOf(mp3))
  })
})

/** What a damaged file may be: shorter, or an error that says so. */
async function survive(input: string | Uint8Array): Promise<'decoded' | 'refused'> {
  const begun = performance.now()
  const outcome = await lengthOf(input).catch((error: unknown) => error)
  // ffmpeg tries what the addon has refused.
  expect(performance.now() - begun).toBeLessThan(6000)
  if (typeof outcome === 'number') {
    expect(outcome).toBeLessThan(3 * 3600)
    return 'decoded'
  }
  expect(outcome).toBeInstanceOf(WhisperHipError)
  expect((outcome as WhisperHipError).code).toMatch(/^ERR_AUDIO_(DECODE|UNSUPPORTED)$/)
  return 'refused'
}

describe('a damaged file', () => {
  const whole = (name: string) => (name === 'some.wav' ? Buffer.from(wav) : readFileSync(encode(name)))
  const names = ['some.flac', 'some.mp3', 'some.ogg', 'some.wav']

  it.each(names)('(%s) that was cut is decoded as far as it goes, or refused', async (name) => {
    const bytes = whole(name)
    const random = generator(2)
    const lengths = [0, 1, 4, 11, 12, 20, 36, 43, 44, 45]
    for (let i = 0; i < 20; i++) lengths.push(random() % bytes.length)
    const outcomes = new Set<string>()
    for (const length of lengths) outcomes.add(await survive(bytes.subarray(0, length)))
    expect([...outcomes].sort()).toEqual(['decoded', 'refused'])
  })

  it.each(names)('(%s) with flipped bits is decoded or refused', async (name) => {
    const bytes = whole(name)
    const random = generator(4)
    for (let round = 0; round < 40; round++) {
      const damaged = Buffer.from(bytes)
      // The headers are at the beginning, and matter most.
      const reach = round % 3 === 0 ? damaged.length : 200
      for (let flip = 0; flip <= round % 5; flip++) {
        const at = random() % Math.min(reach, damaged.length)
        damaged[at] = (damaged[at] as number) ^ (1 << (random() % 8))
      }
      await survive(damaged)
    }
  })

  it('leaves no memory and no open file behind', async () => {
    const path = writeTemporary('broken.flac', whole('again.flac').subarray(0, 5000))
    for (let round = 0; round < 10; round++) await survive(path)
    const files = openFiles()
    const memory = process.memoryUsage().rss
    for (let round = 0; round < 100; round++) await survive(path)
    expect(openFiles()).toBe(files)
    expect(process.memoryUsage().rss - memory).toBeLessThan(16 << 20)
  })
})

describe('a WAV header', () => {
  const good: Wav = { format: 1, bits: 16, data: new Uint8Array(320) }

  it.each<[string, Partial<Wav>]>([
    ['no channels', { channels: 0, blockAlign: 2 }],
    ['65535 channels', { channels: 65_535, blockAlign: 2 }],
    ['65 channels', { channels: 65, data: new Uint8Array(130 * 10) }],
    ['a rate of 0', { sampleRate: 0 }],
    ['a rate of 999', { sampleRate: 999 }],
    ['a rate of 4294967295', { sampleRate: 0xffffffff }],
    ['no bits', { bits: 0, blockAlign: 2 }],
    ['7 bits', { bits: 7, blockAlign: 1 }],
    ['33 bits', { bits: 33, blockAlign: 5 }],
    ['65535 bits', { bits: 65_535, blockAlign: 2 }],
    ['a block size of 0', { blockAlign: 0 }],
    ['a block size of 65535', { blockAlign: 65_535 }],
    ['an unknown format', { format: 0x1234 }],
    ['ADPCM without its fields', { format: 2, bits: 4, blockAlign: 256 }],
    ['an unknown format in the extensible form', { format: 0xfffe, subFormat: 0x1234 }],
    ['float of 16 bits', { format: 3, bits: 16 }],
    ['a format chunk of 0 bytes', { formatSize: 0 }],
    ['a format chunk of 4294967295 bytes', { formatSize: 0xffffffff }],
  ])('with %s is refused, or read with care', async (_, change) => {
    await survive(buildWav({ ...good, ...change }))
    await survive(writeTemporary('hostile.wav', buildWav({ ...good, ...change })))
  })

  it.each([Number.NaN, Infinity, -Infinity, 1e30])(
    'of floats with %d among them has silence there',
    async (value) => {
      const floats = new Float32Array(1600).fill(0.1)
      floats[1234] = value
      const bytes = buildWav({ format: 3, bits: 32, data: new Uint8Array(floats.buffer) })
      const { duration, warnings } = await model.transcribe(bytes)
      expect(duration).toBe(0.1)
      expect(warnings).toMatchObject([{ code: 'AUDIO_DAMAGED', start: 0.064, end: 0.1 }])
    },
  )
})
