// Options that need more than one window, or more than one channel.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel, type Model } from '../../lib/index.ts'
import { packageRoot } from '../../scripts/support/package.mjs'
import { scratchFolder } from '../fixtures/material.ts'
import { cpu, greedy, hum, rejection, speaking } from './support.ts'

let model: Model
beforeAll(async () => {
  const script = [
    { text: ' One.', start: 0, end: 10 },
    { text: ' Two.', start: 12, end: 22 },
  ]
  model = await loadModel(speaking({ script }), cpu)
})
afterAll(() => model?.dispose())

/** Stereo: at each second, which side is loud. */
function stereo(sides: readonly ('left' | 'right' | 'both')[]) {
  const samples = new Float32Array(2 * 16_000 * sides.length)
  const mono = hum(sides.length)
  for (let i = 0; i < mono.length; i++) {
    const side = sides[Math.floor(i / 16_000)]
    samples[2 * i] = (mono[i] as number) * (side === 'right' ? 0.1 : 1)
    samples[2 * i + 1] = (mono[i] as number) * (side === 'left' ? 0.1 : 1)
  }
  return { samples, sampleRate: 16_000, channels: 2 }
}

describe('diarize', () => {
  const times = <T>(count: number, value: T) => new Array<T>(count).fill(value)

  it('names the louder side of each segment', async () => {
    const audio = stereo([...times(11, 'left'), ...times(13, 'right')] as never)
    const { segments } = await model.transcribe(audio, { ...greedy, diarize: 'stereo' })
    expect(segments.map(({ text, speaker }) => [text, speaker])).toEqual([
      [' One.', 'left'],
      [' Two.', 'right'],
    ])
  })

  it('names nobody where both are as loud, or nobody asks', async () => {
    const both = stereo(times(24, 'both') as never)
    for (const diarize of ['stereo', false] as const) {
      const { segments } = await model.transcribe(both, { ...greedy, diarize })
      expect(segments.length).toBe(2)
      for (const segment of segments) expect(segment).not.toHaveProperty('speaker')
    }
  })
})

describe('a prefix', () => {
  it('begins the first window, and is no part of the text', async () => {
    const plain = await model.transcribe(hum(24), greedy)
    const { segments } = await model.transcribe(hum(24), { ...greedy, prefix: 'Well' })
    expect(segments.map(({ text }) => text).join('')).not.toContain('Well')
    expect(segments.length).toBeGreaterThan(0)
    expect(plain.segments.length).toBe(2)
  })
})

describe('several windows at once', () => {
  const audio = hum(300)

  it('come in their order, with progress up to 1', async () => {
    const progress: number[] = []
    const starts: number[] = []
    for await (const { start } of model.transcribe(audio, {
      ...greedy,
      batchSize: 4,
      onProgress: (value) => void progress.push(value),
    }))
      starts.push(start)
    expect(starts.length).toBeGreaterThan(15)
    expect(starts).toEqual(starts.toSorted((a, b) => a - b))
    expect(progress).toEqual(progress.toSorted((a, b) => a - b))
    expect(progress.at(-1)).toBe(1)
  })

  it('end with the job', async () => {
    const controller = new AbortController()
    const job = model.transcribe(audio, { ...greedy, batchSize: 8, signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 50)
    expect(await rejection(job)).toMatchObject({ message: 'enough' })
    const { text } = await model.transcribe(hum(5), greedy)
    expect(text).not.toBe('')
  })
})

describe('text beside silence', () => {
  let scratch: Awaited<ReturnType<typeof scratchFolder>>
  let program: string
  beforeAll(async () => {
    scratch = await scratchFolder()
    program = join(scratch.path, 'invented-text')
    const binding = join(packageRoot, 'binding')
    const whisper = join(packageRoot, 'vendor', 'whisper.cpp')
    execFileSync('g++', [
      ...['-std=c++17', '-O1', '-D_GLIBCXX_ASSERTIONS', `-I${binding}`],
      ...['include', 'examples', 'ggml/include', 'ggml/src'].map((folder) => `-I${join(whisper, folder)}`),
      join(packageRoot, 'test', 'native', 'invented-text.cpp'),
      join(binding, 'transcribe', 'invented_text.cpp'),
      ...['-o', program],
    ])
  })
  afterAll(() => scratch?.[Symbol.asyncDispose]())

  /** Segments as [start, end, probability of their three words]: which is left out first, and where the next window begins. */
  function leftOut(segments: readonly [start: number, end: number, probability: number][], threshold = 2) {
    const args = [threshold, ...segments.flat()].map(String)
    return execFileSync(program, args, { encoding: 'utf8' }).trim()
  }

  it.each([
    ['is kept where it is probable', [[5, 6, 0.9]], 'nothing'],
    ['is left out after a long silence at the beginning', [[5, 6, 0.1]], '0 5.0'],
    [
      'is kept without a long silence before it',
      [
        [1, 2, 0.9],
        [2.2, 3.2, 0.1],
        [3.4, 4.4, 0.9],
      ],
      'nothing',
    ],
    [
      'is left out between two silences',
      [
        [0.5, 1.5, 0.9],
        [9, 10, 0.1],
        [20, 21, 0.9],
      ],
      '1 9.0',
    ],
    [
      'is kept where speech follows at once',
      [
        [0.5, 1.5, 0.9],
        [9, 10, 0.1],
        [10.5, 11, 0.9],
      ],
      'nothing',
    ],
    [
      'is left out at the end of the window',
      [
        [0.5, 1.5, 0.9],
        [28.5, 29.5, 0.1],
      ],
      '1 28.5',
    ],
  ] as [string, [number, number, number][], string][])('%s', (_, segments, expected) => {
    expect(leftOut(segments)).toBe(expected)
  })

  it('is judged by the threshold', () => {
    const segments: [number, number, number][] = [
      [5, 6, 0.1],
      [7, 8, 0.9],
    ]
    expect(leftOut(segments, 2)).toBe('0 5.0')
    expect(leftOut(segments, 6)).toBe('nothing')
  })
})
