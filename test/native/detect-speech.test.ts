import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { detectSpeech, WhisperHipError } from '../../lib/index.ts'
import type { NativeSpeechOptions } from '../../lib/native.ts'
import { parseSpeechOptions } from '../../lib/vad/options.ts'
import { packageRoot } from '../../scripts/support/package.mjs'
import { convert, material, scratchFolder } from '../fixtures/material.ts'
import { readWav } from './speech-samples.ts'
import {
  expectNothingLeft,
  greedy,
  pause,
  rejection,
  speaking,
  withModel,
  writeTemporary,
} from './support.ts'

const RATE = 16_000
const short = { minSilenceDurationMs: 100, minSpeechDurationMs: 250, speechPadMs: 30 }

interface Reference {
  segments: Record<'default' | 'short', [number, number][]>
  probabilities: number[]
}
const reference: Record<string, Reference> = JSON.parse(
  readFileSync(join(packageRoot, 'test', 'fixtures', 'speech-reference.json'), 'utf8'),
)

let jfk: Float32Array
beforeAll(async () => {
  jfk = readWav(await material('jfk.wav'))
})
afterAll(expectNothingLeft)

const pairs = ({ segments }: { segments: { start: number; end: number }[] }) =>
  segments.map(({ start, end }) => [start, end])

describe('speech', () => {
  it('has the probabilities of the ONNX model', async () => {
    const { probabilities, duration } = await detectSpeech(jfk)
    const expected = reference['jfk.wav']?.probabilities ?? []
    expect(duration).toBe(11)
    expect(probabilities).toHaveLength(expected.length)
    for (const [i, value] of probabilities.entries())
      expect(Math.abs(value - (expected[i] ?? 2)), `frame ${i}`).toBeLessThan(1e-3)
  })

  it('is found where the reference finds it', async () => {
    expect(pairs(await detectSpeech(jfk))).toEqual(reference['jfk.wav']?.segments.default)
    expect(pairs(await detectSpeech(jfk, short))).toEqual(reference['jfk.wav']?.segments.short)
  })

  it('is found in any format', async () => {
    const stereo = new Int16Array(2 * jfk.length)
    for (const [i, sample] of jfk.entries()) stereo[2 * i] = stereo[2 * i + 1] = 32_768 * sample
    const expected = pairs(await detectSpeech(jfk, short))
    const path = await material('jfk.wav')
    const chunks = async function* () {
      for (let i = 0; i < jfk.length; i += 7777) yield jfk.slice(i, i + 7777)
    }
    for (const audio of [
      { samples: stereo, sampleRate: RATE, channels: 2 },
      path,
      readFileSync(path),
      chunks(),
    ])
      expect(pairs(await detectSpeech(audio, short))).toEqual(expected)
    await using scratch = await scratchFolder()
    const fast = await convert(path, join(scratch.path, 'fast.wav'), '-ar', '44100')
    // A pause of 100 ms is a close call.
    const apart = { ...short, minSilenceDurationMs: 300 }
    const [original, resampled] = [
      pairs(await detectSpeech(jfk, apart)),
      pairs(await detectSpeech(fast, apart)),
    ]
    expect(resampled).toHaveLength(original.length)
    for (const [i, time] of resampled.flat().entries())
      expect(Math.abs(time - (original.flat()[i] ?? 99))).toBeLessThan(0.1)
  })

  it('keeps its time after silence', async () => {
    const late = new Float32Array(jfk.length + 100 * RATE)
    late.set(jfk, 100 * RATE)
    const [first] = (await detectSpeech(late, short)).segments
    expect(Math.abs((first?.start ?? 0) - 100.322)).toBeLessThan(0.1)
  })

  it('is cut where it is too long', async () => {
    const { segments } = await detectSpeech(jfk, { maxSpeechDurationS: 4 })
    expect(segments.length).toBeGreaterThanOrEqual(3)
    for (const { start, end } of segments) expect(end - start).toBeLessThanOrEqual(4)
  })

  it('comes out the same from many jobs at once', async () => {
    const expected = await detectSpeech(jfk)
    for (const found of await Promise.all(Array.from({ length: 8 }, () => detectSpeech(jfk))))
      expect(found).toEqual(expected)
  })
})

describe('no speech', () => {
  const sound = (at: (time: number) => number) =>
    Float32Array.from({ length: 10 * RATE }, (_, i) => at(i / RATE))
  let state = 1
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state / 0x40000000 - 1
  }

  it.each([
    ['silence', sound(() => 0)],
    ['faint noise', sound(() => 0.001 * random())],
    ['loud noise', sound(() => 0.5 * random())],
    ['a tone', sound((time) => 0.3 * Math.sin(2 * Math.PI * 440 * time))],
    ['mains hum', sound((time) => 0.1 * Math.sin(2 * Math.PI * 50 * time))],
    ['a constant', sound(() => 1)],
    ['a click', sound((time) => (time === 5 ? 1 : 0))],
    ['no samples', new Float32Array()],
    ['one sample', new Float32Array(1)],
  ])('is in %s', async (_, samples) => {
    const { segments, duration, probabilities } = await detectSpeech(samples)
    expect(segments).toEqual([])
    expect(duration).toBe(samples.length / RATE)
    expect(probabilities).toHaveLength(Math.ceil(samples.length / 512))
  })
})

describe('what is wrong', () => {
  it.each([
    [{ samples: [1, 2] }, {}, 'ERR_INVALID_ARGUMENT', 'samples'],
    [Float32Array.of(0, Number.NaN), {}, 'ERR_INVALID_ARGUMENT', '1'],
    [
      new Float32Array(10),
      { treshold: 1 },
      'ERR_INVALID_ARGUMENT',
      'Unknown option "treshold" of detectSpeech()',
    ],
    [new Float32Array(10), { threshold: -1 }, 'ERR_INVALID_ARGUMENT', 'a number from 0 to 1 for threshold'],
    [new Float32Array(10), { signal: 5 }, 'ERR_INVALID_ARGUMENT', 'signal'],
    ['/nowhere.wav', {}, 'ERR_AUDIO_DECODE', '/nowhere.wav'],
  ])('is told: %o %o', async (audio, options, code, message) => {
    const error = await rejection(detectSpeech(audio as never, options as never))
    expect(error).toBeInstanceOf(WhisperHipError)
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
    expect((error as Error).stack).toContain('detect-speech.test.ts')
  })

  it.each([
    ['no file', null, 'ERR_NATIVE_MISSING', 'cannot be read'],
    ['an empty file', '', 'ERR_NATIVE_MISSING', 'cannot be read'],
    ['another file', 'RIFF of no network', 'ERR_MODEL_CORRUPT', 'model.encoder.0.reparam_conv.weight'],
    [
      'half of it',
      (all) => all.subarray(0, all.length / 2),
      'ERR_MODEL_CORRUPT',
      'model.encoder.2.reparam_conv.weight',
    ],
    [
      'a part of the last values',
      (all) => all.subarray(0, lastValue(all) + 3),
      'ERR_MODEL_CORRUPT',
      'the 1 values of model.decoder.decoder.2.bias',
    ],
    [
      'another name',
      (all) => changed(all, 'rnn.weight_ih', 4, 'x'),
      'ERR_MODEL_CORRUPT',
      'the 65536 values of model.decoder.rnn.weight_ih',
    ],
    [
      'another type',
      (all) => changed(all, 'model.decoder.rnn.bias_hh', -3, '\x0a'),
      'ERR_MODEL_CORRUPT',
      'the 512 values of model.decoder.rnn.bias_hh',
    ],
    [
      'another length',
      (all) => changed(all, 'rnn.bias_ih', 12, '\x81'),
      'ERR_MODEL_CORRUPT',
      'the 512 values of model.decoder.rnn.bias_ih',
    ],
  ] as [string, null | string | ((all: Buffer) => Buffer), string, string][])(
    'with the network is told: %s',
    async (name, content, code, message) => {
      const options = parseSpeechOptions({}, 'the test')
      const network = readFileSync(options.network)
      const bytes = () => (typeof content === 'function' ? content(network) : Buffer.from(content ?? ''))
      const path = content === null ? '/nowhere.onnx' : writeTemporary(`${name}.onnx`, bytes())
      const audio = { kind: 'pcm', store: new (addon().native.ByteStore)(), format: 'f32' } as const
      const detect = (changed: Partial<NativeSpeechOptions>) =>
        addon().native.detectSpeech({ ...audio, sampleRate: RATE, channels: 1 }, { ...options, ...changed })
          .result
      expect(await rejection(detect({ network: path }))).toMatchObject({
        code,
        message: expect.stringContaining(message),
      })
      expect(await detect({})).toMatchObject({ duration: 0, segments: [] })
    },
  )
})

/** Where the only value of the network's last constant is. */
const lastValue = (network: Buffer) => network.lastIndexOf('model.decoder.decoder.2.bias') + 30

/** The network with other bytes at a distance from the last place of a text. */
function changed(network: Buffer, text: string, distance: number, bytes: string): Buffer {
  const copy = Buffer.from(network)
  copy.write(bytes, network.lastIndexOf(text) + distance, 'latin1')
  return copy
}

describe('the work', () => {
  const hour = () => ({ samples: new Int16Array(3600 * RATE), sampleRate: RATE, channels: 1 })

  it('stops when it is aborted', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const running = detectSpeech(hour(), { signal: controller.signal })
    while (addon().native.counters().tasks === 0) await pause(1)
    controller.abort(reason)
    expect(await rejection(running)).toBe(reason)
    expect(await rejection(detectSpeech(jfk, { signal: controller.signal }))).toBe(reason)
    await expectNothingLeft()
  })

  it('leaves nothing behind', async () => {
    await detectSpeech(jfk)
    const before = process.memoryUsage().rss
    for (let i = 0; i < 100; i++) await detectSpeech(jfk)
    await expectNothingLeft()
    expect(process.memoryUsage().rss - before).toBeLessThan(30e6)
  })

  it('ends with its worker', async () => {
    const source = `const { parentPort } = require('node:worker_threads')
      const { detectSpeech } = require(${JSON.stringify(packageRoot)})
      detectSpeech(new Float32Array(600 * 16000)).catch(() => {})
      setTimeout(() => parentPort.postMessage('started'), 50)`
    const worker = new Worker(source, { eval: true })
    await new Promise((resolve) => worker.once('message', resolve))
    expect(await worker.terminate()).toBe(1)
    await expectNothingLeft()
  })
})

describe('transcribe() with vad', () => {
  const model = speaking({ script: [{ text: ' Hi.', start: 0, end: 29 }] })
  /** JFK at the given seconds of a minute of silence. */
  const minuteOf = (...starts: number[]) => {
    const samples = new Float32Array(60 * RATE)
    for (const start of starts) samples.set(jfk.subarray(0, 2.5 * RATE), start * RATE)
    return samples
  }

  it('computes nothing where nobody speaks', async () => {
    await withModel(model, async (loaded) => {
      const noise = Float32Array.from({ length: 40 * RATE }, (_, i) => 0.2 * Math.sin(i * i * 0.37))
      const { text, segments, stats, duration } = await loaded.transcribe(noise, { ...greedy, vad: true })
      expect({ text, segments, duration }).toEqual({ text: '', segments: [], duration: 40 })
      expect(stats).toMatchObject({ gpuNodes: 0, cpuNodes: 0 })
      expect(stats.phases.vad).toBeGreaterThan(0)
      const without = await loaded.transcribe(noise, greedy)
      expect(without.text).not.toBe('')
      // It listens there, too, for speech that the text leaves out.
      expect(without.stats.phases.vad).toBeGreaterThan(0)
      const limited = await loaded.transcribe(noise, { ...greedy, maxTokens: 10 })
      expect(limited.stats.phases.vad).toBe(0)
    })
  })

  it('decodes each piece of speech at its place, and near ones together', async () => {
    await withModel(model, async (loaded) => {
      const starts = async (samples: Float32Array, options = {}) => {
        const { segments } = await loaded.transcribe(samples, { ...greedy, vad: true, ...options })
        return segments.map(({ start }) => start)
      }
      const [first = 0, second = 0, ...rest] = await starts(minuteOf(10, 40))
      expect(Math.abs(first - 9.9)).toBeLessThan(0.15)
      expect(Math.abs(second - 39.9)).toBeLessThan(0.15)
      expect(rest).toEqual([])
      expect(await starts(minuteOf(10, 14))).toHaveLength(1)
      // Inside of the clips, and never across them.
      expect(await starts(minuteOf(10, 40), { offset: 20 })).toEqual([second])
      expect(await starts(minuteOf(10, 40), { duration: 20 })).toEqual([first])
      expect(await starts(minuteOf(10, 40), { offset: 20, duration: 10 })).toEqual([])
      expect(
        await starts(minuteOf(10, 14), {
          clips: [
            [0, 13],
            [13, 60],
          ],
        }),
      ).toHaveLength(2)
      expect(
        await starts(minuteOf(10, 40), {
          clips: [
            [11, 12],
            [41, 42],
          ],
        }),
      ).toEqual([11, 41])
    })
  })
})
