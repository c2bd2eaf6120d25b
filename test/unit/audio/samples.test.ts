import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { prepareAudio } from '../../../lib/audio/sources.ts'
import type { AudioInput } from '../../../lib/audio/types.ts'
import type { NativeByteStore } from '../../../lib/native.ts'
import { FakeByteStore } from './fake-byte-store.ts'

const native = { ByteStore: FakeByteStore }
const never = new AbortController().signal
const prepare = (input: unknown, signal = never) => prepareAudio(input as AudioInput, native, signal)

async function prepared(input: unknown) {
  const { source } = await prepare(input)
  if (source.kind !== 'pcm') throw new Error(`a ${source.kind}`)
  const { store, ...format } = source
  return { format, store: store as FakeByteStore }
}

async function refusal(input: unknown): Promise<{ code: string; message: string }> {
  return prepare(input).then(
    () => expect.unreachable(),
    (error) => error,
  )
}

/** A stream of bytes, cut into chunks of a size that fits no sample. */
const inPieces = (bytes: Uint8Array, size: number) =>
  Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
    })(),
  )

const ramp = Float32Array.from({ length: 1000 }, (_, i) => i / 1000)

describe('samples in memory', () => {
  it('takes bare floats for 16 kHz mono', async () => {
    const { format, store } = await prepared(ramp)
    expect(format).toEqual({ kind: 'pcm', format: 'f32', sampleRate: 16_000, channels: 1 })
    expect(store.floats()).toEqual(ramp)
  })

  it('takes floats and integers with their own rate and channels', async () => {
    const floats = await prepared({ samples: ramp, sampleRate: 48_000, channels: 2 })
    expect(floats.format).toMatchObject({ format: 'f32', sampleRate: 48_000, channels: 2 })
    const samples = Int16Array.from({ length: 999 }, (_, i) => i - 500)
    const integers = await prepared({ samples, sampleRate: 8000, channels: 3 })
    expect(integers.format).toMatchObject({ format: 's16', sampleRate: 8000, channels: 3 })
    expect(integers.store.integers()).toEqual(samples)
  })

  it('takes a view into a larger or shared buffer', async () => {
    expect((await prepared(ramp.subarray(10, 20))).store.floats()).toEqual(ramp.slice(10, 20))
    const shared = new Float32Array(new SharedArrayBuffer(40))
    shared.fill(0.5)
    expect((await prepared(shared)).store.floats()).toEqual(new Float32Array(10).fill(0.5))
  })

  it('takes no samples at all: the result is empty', async () => {
    expect((await prepared(new Float32Array(0))).store.byteLength).toBe(0)
    expect(
      (await prepared({ samples: new Int16Array(0), sampleRate: 8000, channels: 2 })).store.byteLength,
    ).toBe(0)
  })

  it('copies slices of at most 1 MiB', async () => {
    const { store } = await prepared(new Float32Array(1_000_000))
    expect(store.byteLength).toBe(4_000_000)
    expect(store.largest).toBe(1 << 20)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses %s with its index',
    async (bad) => {
      const samples = new Float32Array(600_000)
      samples[555_555] = bad
      expect(await refusal(samples)).toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        message: `Expected a finite number for sample 555555 of audio but received ${bad} of type number`,
      })
    },
  )

  it.each([
    [{ samples: [0, 0], sampleRate: 16_000, channels: 1 }, 'a Float32Array or Int16Array for audio.samples'],
    [{ samples: new Float64Array(2), sampleRate: 16_000, channels: 1 }, 'audio.samples'],
    [{ samples: ramp, sampleRate: 999, channels: 1 }, 'an integer from 1000 to 768000 for audio.sampleRate'],
    [{ samples: ramp, sampleRate: 44_100.5, channels: 1 }, 'audio.sampleRate'],
    [{ samples: ramp, sampleRate: 16_000 }, 'an integer from 1 to 64 for audio.channels'],
    [{ samples: ramp, sampleRate: 16_000, channels: 65 }, 'audio.channels'],
    [{ samples: ramp, sampleRate: 16_000, channels: 3 }, 'a multiple of 3 samples'],
    [{ samples: ramp, samplerate: 16_000, channels: 1 }, 'did you mean sampleRate?'],
    [new Float64Array(3), 'but received Float64Array(3)'],
    [[0, 0.5], 'but received an array of 2'],
    [undefined, 'a path, a file URL, the bytes of an audio file, samples, or a stream for audio'],
    [null, 'audio'],
    [42, 'audio'],
    [{}, 'audio'],
  ])('refuses what is wrong (%#)', async (input, message) => {
    const error = await refusal(input)
    expect(error.code).toBe('ERR_INVALID_ARGUMENT')
    expect(error.message).toContain(message)
  })

  it.each<[string, (samples: Float32Array) => unknown, string]>([
    ['samples', (samples) => samples, 'audio'],
    ['samples with their rate', (samples) => ({ samples, sampleRate: 16_000, channels: 1 }), 'audio.samples'],
    ['bytes', ({ buffer }) => new Uint8Array(buffer), 'audio'],
    ['a buffer', ({ buffer }) => buffer, 'audio'],
    ['a chunk of samples', (samples) => streamOf(samples), 'chunk 0 of the audio stream'],
    ['a later chunk of samples', (samples) => streamOf(ramp, samples), 'chunk 1 of the audio stream'],
    ['a chunk of bytes', ({ buffer }) => streamOf(new Uint8Array(buffer)), 'chunk 0 of the audio stream'],
  ])('takes what was transferred before as no silence: %s', async (_, give, name) => {
    const samples = new Float32Array(16_000)
    const input = give(samples)
    structuredClone(samples.buffer, { transfer: [samples.buffer] })
    const error = await refusal(input)
    expect(error.code).toBe('ERR_INVALID_ARGUMENT')
    expect(error.message).toContain(`Expected memory that has not been transferred for ${name} but received`)
  })

  it('notices an array that is transferred meanwhile', async () => {
    const samples = new Float32Array(50_000_000)
    const preparing = refusal(samples)
    setImmediate(() => structuredClone(samples.buffer, { transfer: [samples.buffer] }))
    expect(await preparing).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })

  it('can be aborted before and meanwhile', async () => {
    await expect(prepare(ramp, AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
    const controller = new AbortController()
    const preparing = prepare(new Float32Array(50_000_000), controller.signal)
    setImmediate(() => controller.abort(new Error('meanwhile')))
    await expect(preparing).rejects.toThrow('meanwhile')
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it('never holds the event loop for 20 ms, however long the audio', async () => {
    /** A fake store that looks at every sample and copies it, like the real one, into memory that it uses again. */
    class ScratchStore implements NativeByteStore {
      byteLength = 0
      readonly #scratch = new Float32Array(1 << 18)
      append(view: Float32Array): number {
        this.#scratch.set(view)
        this.byteLength += view.byteLength
        return -1
      }
      read = () => new Uint8Array()
    }
    const samples = new Float32Array(100_000_000)
    // The smaller of wall and CPU time: what other processes take from this one does not count.
    const now = () => [performance.now(), process.cpuUsage().user / 1000] as const
    let last = now()
    const holds: number[] = []
    const timer = setInterval(() => {
      const [wall, cpu] = now()
      holds.push(Math.min(wall - last[0], cpu - last[1]))
      last = [wall, cpu]
    }, 1)
    const { source } = await prepareAudio(samples, { ByteStore: ScratchStore }, never)
    clearInterval(timer)
    expect(source.kind === 'pcm' && source.store.byteLength).toBe(400_000_000)
    // One in fifty may meet a garbage collection, or a processor that is slow for a moment.
    const [most, ...others] = holds.sort((a, b) => b - a)
    expect(others.length).toBeGreaterThan(10)
    expect(others[Math.floor(holds.length / 50)]).toBeLessThan(20)
    expect(most).toBeLessThan(200)
  })
})

describe('streams of samples', () => {
  it('takes chunks of floats for 16 kHz mono', async () => {
    async function* chunks() {
      yield ramp.subarray(0, 300)
      yield new Float32Array(0)
      yield ramp.subarray(300)
    }
    const { format, store } = await prepared(chunks())
    expect(format).toEqual({ kind: 'pcm', format: 'f32', sampleRate: 16_000, channels: 1 })
    expect(store.floats()).toEqual(ramp)
  })

  it('counts the index of a bad sample from the start', async () => {
    async function* chunks() {
      yield ramp
      yield Float32Array.of(0, Number.NaN)
    }
    expect((await refusal(chunks())).message).toContain('sample 1001 of audio')
    const bytes = new Uint8Array(Float32Array.of(...ramp, 0, Number.NaN).buffer)
    const stream = { stream: inPieces(bytes, 1001), format: 'f32le', sampleRate: 16_000, channels: 1 }
    expect((await refusal(stream)).message).toContain('sample 1001 of audio')
  })

  it.each([1, 3, 7, 1024, 3999])('puts samples together that are cut at %i bytes', async (size) => {
    const floats = new Uint8Array(ramp.slice().buffer)
    const f32 = { stream: inPieces(floats, size), format: 'f32le', sampleRate: 8000, channels: 2 }
    const first = await prepared(f32)
    expect(first.format).toMatchObject({ format: 'f32', sampleRate: 8000, channels: 2 })
    expect(first.store.floats()).toEqual(ramp)
    const integers = Int16Array.from({ length: 500 }, (_, i) => i)
    const s16 = {
      stream: inPieces(new Uint8Array(integers.buffer), size),
      format: 's16le',
      sampleRate: 8000,
      channels: 1,
    }
    const second = await prepared(s16)
    expect(second.format).toMatchObject({ format: 's16', sampleRate: 8000, channels: 1 })
    expect(second.store.integers()).toEqual(integers)
  })

  it('refuses a stream that ends inside a frame', async () => {
    const input = { stream: inPieces(new Uint8Array(10), 4), format: 's16le', sampleRate: 8000, channels: 2 }
    expect(await refusal(input)).toMatchObject({
      code: 'ERR_AUDIO_DECODE',
      message: 'Cannot decode the audio stream: it ends inside a frame (10 bytes are no multiple of 4)',
    })
  })

  it.each([
    [{ stream: 'x', format: 's16le', sampleRate: 8000, channels: 1 }, 'a stream for audio.stream'],
    [{ stream: Readable.from([]), format: 's16el', sampleRate: 8000, channels: 1 }, 'did you mean s16le?'],
    [{ stream: Readable.from([]), format: 's16le', channels: 1 }, 'audio.sampleRate'],
    [{ stream: Readable.from([]), formt: 's16le', sampleRate: 8000, channels: 1 }, 'did you mean format?'],
  ])('refuses what is wrong (%#)', async (input, message) => {
    const error = await refusal(input)
    expect(error.code).toBe('ERR_INVALID_ARGUMENT')
    expect(error.message).toContain(message)
  })
})

async function* streamOf(...chunks: unknown[]) {
  yield* chunks
}
