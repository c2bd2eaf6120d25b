import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { detectSpeech } from '../../lib/index.ts'
import type { NativeLiveAudioOptions } from '../../lib/native.ts'
import { networkPath } from '../../lib/vad/network.ts'
import { convert, material, scratchFolder } from '../fixtures/material.ts'
import { readWav } from './speech-samples.ts'
import { collectGarbage, pause } from './support.ts'

const RATE = 16_000

type Options = Partial<Omit<NativeLiveAudioOptions, 'network'>> & { vad?: boolean }

function listener({ vad = true, ...options }: Options = {}) {
  const network = vad ? networkPath() : ''
  return new (addon().native.LiveAudio)({
    format: 's16le',
    sampleRate: RATE,
    channels: 1,
    ...options,
    network,
  })
}

/** All that is heard of some chunks. */
function hear(chunks: readonly Uint8Array[], options: Options = {}) {
  const live = listener(options)
  const heard = [...chunks.map((chunk) => live.push(chunk)), live.finish()]
  const samples = Float32Array.from(heard.flatMap((each) => [...each.samples]))
  return { samples, probabilities: Float32Array.from(heard.flatMap((each) => [...each.probabilities])) }
}

/** Pieces of the given sizes, again and again. */
function split(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int16Array) =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** The samples of each channel one after the other in time. */
function interleave(...channels: Float32Array[]): Float32Array {
  const [first = new Float32Array()] = channels
  const all = new Float32Array(first.length * channels.length)
  for (const [c, channel] of channels.entries()) {
    for (const [i, sample] of channel.entries()) all[i * channels.length + c] = sample
  }
  return all
}

const toInt16 = (samples: Float32Array) =>
  Int16Array.from(samples, (sample) => Math.max(-32_768, Math.min(32_767, Math.round(32_768 * sample))))

let jfk: Float32Array
beforeAll(async () => {
  jfk = readWav(await material('jfk.wav'))
})

describe('samples', () => {
  it('of 16 kHz come out as they are, in both formats', () => {
    expect(hear([bytesOf(toInt16(jfk))]).samples).toEqual(jfk)
    expect(hear([bytesOf(jfk)], { format: 'f32le' }).samples).toEqual(jfk)
  })

  it('at the ends of their range are not changed', () => {
    const full = Int16Array.of(-32_768, 32_767, 0, -1)
    expect([...hear([bytesOf(full)]).samples]).toEqual([-1, 32_767 / 32_768, 0, -1 / 32_768])
    const clipped = Float32Array.of(-1, 1, 1.5, -100, 100)
    expect(hear([bytesOf(clipped)], { format: 'f32le' }).samples).toEqual(clipped)
  })

  it('of several channels become their mean', () => {
    const [left, right] = [jfk.subarray(0, RATE), jfk.subarray(RATE, 2 * RATE)]
    const { samples } = hear([bytesOf(interleave(left, right))], { format: 'f32le', channels: 2 })
    for (const [i, sample] of samples.entries())
      expect(sample).toBeCloseTo(((left[i] ?? 9) + (right[i] ?? 9)) / 2, 6)
    const eight = interleave(...Array.from({ length: 8 }, () => left))
    expect(hear([bytesOf(eight)], { format: 'f32le', channels: 8 }).samples).toEqual(left)
  })

  it.each([
    ['8 kHz', 8000],
    ['44.1 kHz', 44_100],
    ['48 kHz', 48_000],
    ['11.025 kHz', 11_025],
  ])('of %s are resampled', (_, sampleRate) => {
    const tone = Float32Array.from(
      { length: 2 * sampleRate },
      (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / sampleRate),
    )
    const { samples } = hear([bytesOf(tone)], { format: 'f32le', sampleRate })
    expect(Math.abs(samples.length - 2 * RATE)).toBeLessThanOrEqual(1)
    for (let i = 1000; i < samples.length - 1000; i++)
      expect(Math.abs((samples[i] ?? 9) - 0.5 * Math.sin((2 * Math.PI * 440 * i) / RATE))).toBeLessThan(0.002)
  })
})

describe('however the bytes are split', () => {
  const forms: [string, Options][] = [
    ['16 kHz s16le', {}],
    ['16 kHz f32le', { format: 'f32le' }],
    ['8 kHz s16le', { sampleRate: 8000 }],
    ['44.1 kHz stereo f32le', { sampleRate: 44_100, channels: 2, format: 'f32le' }],
    ['48 kHz stereo s16le', { sampleRate: 48_000, channels: 2 }],
  ]
  const bytes = (options: Options) => {
    const part = jfk.subarray(0, 3 * RATE)
    return bytesOf(options.format === 'f32le' ? part : toInt16(part))
  }

  it.each(forms)('%s gives the same samples and probabilities', (_, options) => {
    const all = bytes(options)
    const whole = hear([all], options)
    expect(whole.samples.length).toBeGreaterThan(RATE / 4)
    const sizes = fc.array(fc.oneof(fc.nat(9), fc.integer({ min: 0, max: 9000 })), {
      minLength: 1,
      maxLength: 8,
    })
    fc.assert(
      fc.property(sizes, (chosen) => {
        // Empty chunks are part of it, but not alone.
        const heard = hear(split(all, [...chosen, 501]), options)
        expect(Buffer.compare(bytesOf(heard.samples), bytesOf(whole.samples))).toBe(0)
        expect(Buffer.compare(bytesOf(heard.probabilities), bytesOf(whole.probabilities))).toBe(0)
      }),
      { numRuns: 20 },
    )
  })

  it('byte by byte', () => {
    const all = bytes({}).subarray(0, 2 * RATE)
    expect(hear(split(all, [1]))).toEqual(hear([all]))
  })

  it('half a sample at the end is dropped', () => {
    const all = bytes({}).subarray(0, 2001)
    expect(hear([all]).samples).toEqual(jfk.subarray(0, 1000))
    expect(hear([all], { channels: 2 }).samples).toHaveLength(500)
    expect(hear([bytesOf(jfk).subarray(0, 4003)], { format: 'f32le' }).samples).toEqual(jfk.subarray(0, 1000))
  })
})

describe('probabilities', () => {
  it('are those of detectSpeech()', async () => {
    const { probabilities } = await detectSpeech(jfk)
    expect(hear(split(bytesOf(jfk), [1601]), { format: 'f32le' }).probabilities).toEqual(probabilities)
  })

  it('are those of detectSpeech() at other rates', async () => {
    await using scratch = await scratchFolder()
    const path = await convert(
      await material('jfk.wav'),
      `${scratch.path}/fast.wav`,
      '-ar',
      '44100',
      '-ac',
      '2',
    )
    const samples = toInt16(readWav(path))
    const stereo = { sampleRate: 44_100, channels: 2 }
    const { probabilities } = await detectSpeech({ samples, ...stereo })
    expect(hear(split(bytesOf(samples), [4096, 7]), stereo).probabilities).toEqual(probabilities)
  })

  it('are one for each frame of 512 samples, as soon as it is complete', () => {
    const live = listener()
    const bytes = bytesOf(toInt16(jfk))
    expect(live.push(bytes.subarray(0, 1023)).probabilities).toHaveLength(0)
    expect(live.push(bytes.subarray(1023, 1024)).probabilities).toHaveLength(1)
    expect(live.push(bytes.subarray(1024, 1024 + 5 * 1024 + 10)).probabilities).toHaveLength(5)
    // The last one is completed with silence.
    expect(live.finish().probabilities).toHaveLength(1)
  })

  it('are none without a network', () => {
    expect(hear([bytesOf(jfk)], { format: 'f32le', vad: false })).toEqual({
      samples: jfk,
      probabilities: new Float32Array(),
    })
  })
})

describe('what is no sample', () => {
  const refusal = (call: () => unknown) => {
    try {
      call()
    } catch (error) {
      return error as { code: string; message: string }
    }
    expect.unreachable('it was taken')
  }

  it.each([
    [Number.NaN, 'nan'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
    [1e30, '1e+30'],
    [100.5, '100.5'],
    [-101, '-101'],
  ])('is told with its index: %f', (value, text) => {
    for (const index of [0, 1, 4095, 4096, 9999]) {
      const samples = new Float32Array(10_000)
      samples[index] = value
      expect(refusal(() => listener({ format: 'f32le' }).push(bytesOf(samples)))).toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        message: `Expected samples from -1 to 1 for the live audio but received ${text} at index ${index}`,
      })
    }
  })

  it('is counted from the start of the stream, all channels', () => {
    const live = listener({ format: 'f32le', channels: 2, sampleRate: 48_000 })
    const good = new Float32Array(96_000)
    const bad = Float32Array.of(0, 0, 0, Number.NaN)
    for (const chunk of split(bytesOf(good), [999])) live.push(chunk)
    expect(refusal(() => live.push(bytesOf(bad)))?.message).toMatch(/at index 96003$/)
  })

  it('is what integers are, taken for floats', () => {
    const { code } = refusal(() => listener({ format: 'f32le' }).push(bytesOf(toInt16(jfk)))) ?? {}
    expect(code).toBe('ERR_INVALID_ARGUMENT')
  })
})

describe('the class', () => {
  it.each([
    ['no arguments', () => new (addon().native.LiveAudio as unknown as new () => unknown)()],
    ['no options', () => new (addon().native.LiveAudio)(null as never)],
    ['no new', () => (addon().native.LiveAudio as unknown as () => void)()],
    ['no bytes', () => listener().push(undefined as never)],
    ['bytes that are none', () => listener().push('hello' as never)],
    ['an object of another class', () => addon().native.LiveAudio.prototype.push.call({}, new Uint8Array(2))],
  ])('throws at %s', (_, call) => {
    expect(call).toThrow()
  })

  it('tells which network is missing', () => {
    const options = { format: 's16le', sampleRate: RATE, channels: 1, network: '/nowhere.onnx' } as const
    expect(() => new (addon().native.LiveAudio)(options)).toThrow(
      expect.objectContaining({
        code: 'ERR_NATIVE_MISSING',
        message: expect.stringContaining('/nowhere.onnx'),
      }),
    )
  })

  it('takes rates and numbers of channels only as far as they go', () => {
    for (const extreme of [-1, 0, 1e9, Number.NaN]) {
      const live = listener({ sampleRate: extreme, channels: extreme })
      live.push(new Uint8Array(1000))
      live.finish()
    }
  })

  it('takes an array that is gone for an empty one', () => {
    const bytes = new Uint8Array(1000)
    structuredClone(bytes, { transfer: [bytes.buffer] })
    expect(listener().push(bytes).samples).toHaveLength(0)
  })

  it('gives its memory back', async () => {
    const bytes = new Uint8Array(40_000)
    const round = async () => {
      for (let i = 0; i < 100; i++) listener({ sampleRate: 44_100, channels: 2 }).push(bytes)
      for (let i = 0; i < 5; i++) {
        collectGarbage()
        await pause(2)
      }
    }
    // The allocator keeps what one round needs.
    for (let i = 0; i < 3; i++) await round()
    const before = process.memoryUsage().rss
    for (let i = 0; i < 5; i++) await round()
    expect(process.memoryUsage().rss - before).toBeLessThan(30e6)
  })
})
