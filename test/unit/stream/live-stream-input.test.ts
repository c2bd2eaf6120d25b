import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { WhisperHipError } from '../../../lib/errors.ts'
import type { NativeLiveAudio } from '../../../lib/native.ts'
import { FakeEar, FakeHost, failure, loud, openStream, quiet, settled } from './fakes.ts'

describe('what is written wrongly', () => {
  const invalid = { name: 'WhisperHipError', code: 'ERR_INVALID_ARGUMENT' }

  async function errorOf(chunks: unknown[], ear?: NativeLiveAudio) {
    const { live, host } = openStream({}, new FakeHost(), ear)
    const emitted = once(live, 'error')
    const flushes: Promise<unknown>[] = []
    for (const chunk of chunks) {
      live.write(chunk as Buffer)
      flushes.push(failure(live.flush()))
    }
    const [error] = await emitted
    await settled()
    expect(live.destroyed).toBe(true)
    expect(await flushes.at(-1)).toBe(error)
    expect(host.calls).toEqual([])
    return error
  }

  it('is told: a string', async () => {
    expect(await errorOf(['hello'])).toMatchObject({
      ...invalid,
      message: 'Expected bytes of PCM for the live audio but received "hello" of type string',
    })
    expect(await errorOf([''])).toMatchObject(invalid)
  })

  it('is told: samples of another type', async () => {
    expect(await errorOf([new Float32Array(100)])).toMatchObject({
      ...invalid,
      message: "The stream is configured for s16le and was given a Float32Array: set format: 'f32le'",
    })
  })

  it.each([
    ['RIFF$\0\0\0WAVEfmt ', 'a WAV file'],
    [`OggS\0\x02${'\0'.repeat(22)}\x01vorbis`, 'an Ogg Vorbis file'],
    ['fLaC\0\0\0\x22', 'a FLAC file'],
    ['ID3\x03\0\0\0\0\x01\x01', 'an MP3 file'],
    ['\x1aE\xdf\xa3\x9fB\x86\x81', 'a Matroska or WebM file'],
  ])('is told: a file that begins with %j', async (magic, found) => {
    const file = Buffer.from(`${magic}\0\0\0\0and so on`, 'latin1')
    const expected = { ...invalid, message: expect.stringContaining(found) }
    const error = await errorOf([file])
    expect(error).toMatchObject(expected)
    expect(error.advice.join()).toMatch(/ffmpeg/)
    expect(error.stack).toContain('live-stream-input.test.ts')
    // However it is cut.
    expect(await errorOf([...file].map((byte) => Buffer.of(byte)))).toMatchObject(expected)
  })

  it('is not: the same bytes later on', async () => {
    const { live } = openStream()
    live.write(quiet(4))
    live.write(Buffer.from('RIFF'))
    live.write(Buffer.from([0]))
    await live.flush()
    expect(live.errored).toBeNull()
    const { live: other } = openStream()
    other.write(Buffer.from('xx'))
    other.write(Buffer.from('RIFF'))
    await other.flush()
    expect(other.errored).toBeNull()
  })

  it('is told: what the ear refuses', async () => {
    class FakeDeafEar extends FakeEar {
      override push(): never {
        throw Object.assign(new Error('Expected samples from -1 to 1'), { code: 'ERR_INVALID_ARGUMENT' })
      }
    }
    const error = await errorOf([loud(1)], new FakeDeafEar())
    expect(error).toBeInstanceOf(WhisperHipError)
    expect(error).toMatchObject({ ...invalid, message: 'Expected samples from -1 to 1' })
  })

  it('is not: no bytes, and those of a Uint8Array', async () => {
    const { live } = openStream()
    live.write(Buffer.alloc(0))
    live.write(new Uint8Array(quiet(10)))
    await live.flush()
  })
})

describe('a large chunk', () => {
  it.each([
    [{ sampleRate: 48_000, channels: 2 }, 65_536],
    [{ sampleRate: 16_000 }, 65_536],
    [{ sampleRate: 1000 }, 8000],
    [{ sampleRate: 1000, format: 'f32le' }, 16_000],
  ] as const)('of %j is heard in pieces of %i bytes, one in each turn', async (options, piece) => {
    const heard: number[] = []
    class FakeCountingEar extends FakeEar {
      override push(bytes: Uint8Array) {
        heard.push(bytes.length)
        return super.push(bytes.subarray(0, 1))
      }
    }
    const { live } = openStream(options, new FakeHost(), new FakeCountingEar())
    let written = false
    live.write(Buffer.alloc(3 * piece + 10), () => {
      written = true
    })
    for (let most = 1; !written; most++) {
      expect(heard.length).toBeLessThanOrEqual(most)
      await settled()
    }
    expect(heard).toEqual([piece, piece, piece, 10])
  })
})
