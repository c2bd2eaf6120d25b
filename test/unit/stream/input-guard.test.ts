import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../../lib/backend/package-root.ts'
import { checkChunkType, type ExpectedSamples, InputGuard } from '../../../lib/stream/input-guard.ts'

const s16: ExpectedSamples = { format: 's16le', channels: 1 }
const f32: ExpectedSamples = { format: 'f32le', channels: 1 }

/** Eleven seconds of speech. */
let speech: Int16Array
beforeAll(() => {
  const wav = readFileSync(join(packageRoot(), 'vendor/whisper.cpp/bindings/go/samples/jfk.wav'))
  speech = new Int16Array(new Uint8Array(wav.subarray(78)).buffer)
})

const bytesOf = (array: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }) =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength)

/** What a guard says of bytes in pieces. */
function verdict(bytes: Uint8Array, expected: ExpectedSamples, piece = 1000): string {
  const guard = new InputGuard(expected)
  try {
    for (let at = 0; at < bytes.length; at += piece) guard.check(bytes.subarray(at, at + piece))
    guard.end()
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

const floats = (scale = 1 / 32_768) => Float32Array.from(speech, (value) => value * scale)
const encoded = (...args: string[]) =>
  execFileSync(
    'ffmpeg',
    ['-v', 'error', '-f', 's16le', '-ar', '16000', '-ac', '1', '-i', '-', ...args, '-'],
    { input: bytesOf(speech), maxBuffer: 1 << 26 },
  )

describe('typed arrays', () => {
  it.each<[{ buffer: ArrayBufferLike }, ExpectedSamples, string]>([
    [
      new Float32Array(4),
      s16,
      "The stream is configured for s16le and was given a Float32Array: set format: 'f32le'",
    ],
    [
      new Int16Array(4),
      f32,
      "The stream is configured for f32le and was given an Int16Array: set format: 's16le'",
    ],
    [new Float64Array(4), f32, 'a Float64Array: write bytes, or a Float32Array'],
    [new Int32Array(4), s16, 'an Int32Array: write bytes, or an Int16Array'],
    [new Uint16Array(4), s16, 'a Uint16Array'],
    [new Int8Array(4), s16, 'an Int8Array'],
  ])('%s for %j are refused', (array, expected, message) => {
    expect(() => checkChunkType(array, expected)).toThrow(message)
  })

  it('that hold the format, and bytes, pass', () => {
    for (const array of [
      new Int16Array(1),
      new Uint8Array(1),
      Buffer.alloc(1),
      new DataView(new ArrayBuffer(1)),
    ])
      expect(() => checkChunkType(array, s16)).not.toThrow()
    expect(() => checkChunkType(new Float32Array(1), f32)).not.toThrow()
    for (const other of ['text', undefined, null, {}, 3])
      expect(() => checkChunkType(other, s16)).not.toThrow()
  })
})

describe('samples of another kind', () => {
  it('are named with what to do', () => {
    const swapped = (bytes: Buffer, size: 16 | 32) =>
      size === 16 ? Buffer.from(bytes).swap16() : Buffer.from(bytes).swap32()
    const configured = 'The stream is configured for'
    expect(verdict(bytesOf(floats()), s16)).toBe(
      `${configured} s16le and was given 32-bit floats: set format: 'f32le'`,
    )
    expect(verdict(bytesOf(speech), f32)).toBe(
      `${configured} f32le and was given 16-bit integers: set format: 's16le'`,
    )
    expect(verdict(bytesOf(floats(1)), f32)).toContain('floats that go up to 32768 rather than 1')
    expect(verdict(swapped(bytesOf(speech), 16), s16)).toContain('big-endian integers')
    expect(verdict(swapped(bytesOf(floats()), 32), f32)).toContain('big-endian floats')
    expect(verdict(encoded('-f', 'mulaw'), s16)).toContain('mu-law')
    expect(verdict(encoded('-f', 'alaw'), s16)).toContain('A-law')
    expect(verdict(encoded('-f', 'u8'), s16)).toContain('8-bit integers')
    expect(verdict(Buffer.from(bytesOf(speech).toString('base64')), s16)).toContain('base64')
  })

  it('are named after silence, and in chunks of any size', () => {
    const late = Buffer.concat([Buffer.alloc(40_000), bytesOf(floats())])
    for (const piece of [1, 7, 1000, 1 << 20])
      expect(verdict(late.subarray(0, 70_000), s16, piece)).toContain('32-bit floats')
  })
})

describe('files', () => {
  it.each([
    ['webm', 'a Matroska or WebM file', '-c:a', 'libopus', '-f', 'webm'],
    [
      'm4a',
      'an M4A file',
      '-c:a',
      'aac',
      '-f',
      'ipod',
      '-brand',
      'M4A ',
      '-movflags',
      'frag_keyframe+empty_moov',
    ],
    ['aac', 'an AAC file', '-c:a', 'aac', '-f', 'adts'],
    ['aiff', 'an AIFF file', '-f', 'aiff'],
    ['mp3 without tags', 'an MP3 file', '-f', 'mp3', '-id3v2_version', '0', '-write_xing', '0'],
    ['mp3', 'an MP3 file', '-f', 'mp3'],
    ['flac', 'a FLAC file', '-f', 'flac'],
    ['ogg', 'an Ogg Opus file', '-c:a', 'libopus', '-f', 'ogg'],
    ['wav', 'a WAV file', '-f', 'wav'],
    ['ts', 'an MPEG transport stream', '-c:a', 'aac', '-f', 'mpegts'],
    ['caf', 'a Core Audio file', '-f', 'caf'],
    ['au', 'an AU file', '-f', 'au'],
  ])('%s is named', (_, found, ...args) => {
    const bytes = encoded(...args)
    expect(verdict(bytes, s16)).toBe(`Expected PCM samples for the live audio but received ${found}`)
    expect(verdict(bytes, f32, 100_000)).toContain(found)
  })

  it.each<[string, string]>([
    ['GIF89a\x01\x00\x01\x00', 'a GIF image'],
    ['PK\x03\x04\x14\x00\x00\x00', 'a ZIP archive'],
    ['<!doctype html><html><head><title>Not found</title></head><body>'.repeat(5), 'an HTML page'],
    ['{"error":{"message":"no such stream","code":404}}\n'.repeat(6), 'a text file that begins with'],
    ['Dear diary, today I have been listening to the radio all day long, and \n'.repeat(5), 'a text file'],
  ])('%j is named', (start, found) => {
    const bytes = Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(start.length > 60 ? 0 : 1000, 9)])
    expect(verdict(bytes, s16)).toContain(found)
  })

  it('without their beginning are named', () => {
    const webm = encoded('-c:a', 'libopus', '-f', 'webm')
    const ogg = encoded('-c:a', 'libvorbis', '-f', 'ogg')
    const flac = encoded('-f', 'flac')
    const mp4 = encoded(
      '-c:a',
      'aac',
      '-f',
      'mp4',
      '-movflags',
      'frag_keyframe+empty_moov',
      '-frag_duration',
      '1000000',
    )
    const from = (bytes: Buffer, text: string, offset = 0, after = 1) =>
      bytes.subarray(bytes.indexOf(Buffer.from(text, 'latin1'), after) + offset)
    expect(verdict(from(webm, '\x1fC\xb6u'), s16)).toContain('a piece of a WebM or Matroska file')
    expect(verdict(from(webm, '\xa3', 0, webm.indexOf(Buffer.from('\x1fC\xb6u', 'latin1'))), s16)).toContain(
      'a piece of a WebM',
    )
    expect(verdict(from(ogg, 'OggS', 0, 200), s16)).toContain('a piece of an Ogg file')
    expect(verdict(from(flac, '\xff\xf8', 0, 8000), s16)).toContain('a piece of a FLAC file')
    expect(verdict(from(mp4, 'moof', -4), s16)).toContain('a piece of an MP4 file')
  })
})

describe('sound', () => {
  it('passes at any loudness, in both formats', () => {
    for (const scale of [1, 0.3, 0.01, 0.001, 0.0001]) {
      expect(verdict(bytesOf(Int16Array.from(speech, (value) => value * scale)), s16)).toBe('')
      expect(verdict(bytesOf(floats(scale / 32_768)), f32)).toBe('')
    }
    expect(verdict(bytesOf(Float32Array.from(speech, (value) => value / 4000)), f32)).toBe('')
    expect(verdict(Buffer.alloc(100_000), s16)).toBe('')
    expect(verdict(Buffer.alloc(100_000), f32)).toBe('')
  })

  it('passes from any moment of speech on', () => {
    for (let at = 0; at < speech.length; at += 1777) {
      expect(verdict(bytesOf(speech.slice(at, at + 9000)), s16), `from ${at}`).toBe('')
      expect(verdict(bytesOf(floats().slice(at, at + 9000)), f32), `from ${at}`).toBe('')
    }
  })

  it('passes with two channels, also where one is silent', () => {
    const pair = (other: (i: number) => number) =>
      Int16Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? (speech[i / 2] as number) : other(i)))
    for (const other of [
      () => 0,
      (i: number) => -(speech[(i - 1) / 2] as number),
      () => 300 * (Math.random() - 0.5),
    ])
      expect(verdict(bytesOf(pair(other)), { format: 's16le', channels: 2 })).toBe('')
  })

  it('passes when it is noise, tones or constant', () => {
    const shapes: ((i: number, random: () => number) => number)[] = [
      (_, random) => random() * 65_535 - 32_768,
      (_, random) => Math.round(random() * 2 - 1),
      (_, random) => Math.round(random() * 6 - 3),
      (_, random) => 14_000 + random() * 2000,
      (i) => 20_000 * Math.sin(i / 3),
      (i) => (i % 2 === 0 ? 16_000 : -16_500),
      (i) => (i % 100 < 50 ? 14_000 : -18_000),
      (i) => (i % 997 === 0 ? 30_000 : 0),
      (_, random) => 256 * Math.round(random() * 200 - 100),
      () => 8224,
    ]
    const property = fc.property(
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      fc.constantFrom(...shapes),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      (seed, shape, scale) => {
        let state = seed
        const random = () => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
          return (state >>> 8) / 2 ** 24
        }
        const samples = Int16Array.from({ length: 9000 }, (_, i) => scale * shape(i, random))
        return (
          verdict(bytesOf(samples), s16) === '' &&
          verdict(bytesOf(Float32Array.from(samples, (value) => value / 32_768)), f32) === ''
        )
      },
    )
    fc.assert(property, { numRuns: 400 })
  })

  it('passes when its bytes are random', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 20_000 }), (bytes) => verdict(bytes, s16) === ''),
      { numRuns: 500 },
    )
  })
})
