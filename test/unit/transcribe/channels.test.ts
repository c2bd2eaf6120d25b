import { describe, expect, it } from 'vitest'
import type { NativeAudioSource, NativeEvents, NativeResult, NativeSegment } from '../../../lib/native.ts'
import { transcribeChannels } from '../../../lib/transcribe/channels.ts'

const file: NativeAudioSource = { kind: 'file', path: '/speech.wav' }

const segment = (start: number, text: string) => ({ start, end: start + 1, text }) as NativeSegment

function resultOf(changed: Partial<NativeResult>): NativeResult {
  return {
    language: 'en',
    languageProbability: 0.5,
    duration: 10,
    channels: 2,
    onGpu: false,
    gpuNodes: 1,
    cpuNodes: 2,
    cpuOperations: ['MUL_MAT'],
    wallSeconds: 3,
    phases: { decode: 1, mel: 1, vad: 1, encode: 1, prompt: 1, sample: 1 },
    warnings: [],
    ...changed,
  }
}

/** Runs channels whose segments are given. */
function run(channels: NativeSegment[][], source = file, changed: Partial<NativeResult>[] = []) {
  const started: NativeAudioSource[] = []
  const heard: string[] = []
  const progress: number[] = []
  const task = transcribeChannels(
    source,
    (audio, events: NativeEvents) => {
      const channel = started.push(audio) - 1
      const speak = async () => {
        for (const one of channels[channel] ?? []) {
          await null
          events.onSegments([one])
        }
        events.onProgress(1)
        return resultOf({ channels: channels.length, ...changed[channel] })
      }
      return { result: speak(), cancel() {} }
    },
    {
      onSegments: (segments) => heard.push(...segments.map(({ channel, text }) => `${channel}${text}`)),
      onProgress: (done) => progress.push(done),
    },
  )
  return { task, started, heard, progress }
}

describe('channels one by one', () => {
  it('give segments in the order of time', async () => {
    const { task, started, heard } = run([
      [segment(0, 'a'), segment(4, 'c'), segment(9, 'e')],
      [segment(2, 'b'), segment(5, 'd')],
    ])
    await task.result
    expect(started).toEqual([
      { ...file, channel: 0 },
      { ...file, channel: 1 },
    ])
    expect(heard).toEqual(['0a', '1b', '0c', '1d', '0e'])
  })

  it('of three are merged as well', async () => {
    const { task, heard, progress } = run([
      [segment(3, 'c')],
      [segment(1, 'a'), segment(7, 'd')],
      [segment(2, 'b')],
    ])
    await task.result
    expect(heard).toEqual(['1a', '2b', '0c', '1d'])
    expect(progress.at(-1)).toBe(1)
  })

  it('are one where there is one', async () => {
    const { task, started, heard } = run([[segment(0, 'a')]])
    await task.result
    expect(started).toHaveLength(1)
    expect(heard).toEqual(['0a'])
  })

  it('keep samples in memory until the last', async () => {
    const store = {} as never
    const source = { kind: 'pcm', store, format: 'f32', sampleRate: 16_000, channels: 2 } as const
    const { task, started } = run([[], []], source)
    await task.result
    expect(started).toEqual([0, 1].map((channel) => ({ ...source, keep: true, channel })))
  })

  it('have one result', async () => {
    const warning = { code: 'AUDIO_DAMAGED', message: 'x' } as const
    const { task } = run([[], []], file, [
      { duration: 9, warnings: [warning] },
      { language: 'de', languageProbability: 0.9, warnings: [warning], cpuOperations: ['GELU'] },
    ])
    expect(await task.result).toMatchObject({
      language: 'de',
      languageProbability: 0.9,
      duration: 10,
      gpuNodes: 2,
      cpuNodes: 4,
      cpuOperations: ['MUL_MAT', 'GELU'],
      wallSeconds: 6,
      phases: { encode: 2 },
      warnings: [warning],
    })
  })

  it('that are cancelled end with the channel that runs', async () => {
    const cancelled: number[] = []
    let channel = -1
    const task = transcribeChannels(
      file,
      () => {
        const own = ++channel
        let reject: (error: Error) => void
        const result = new Promise<NativeResult>((_, fail) => {
          reject = fail
        })
        return {
          result,
          cancel() {
            cancelled.push(own)
            reject(new Error('cancelled'))
          },
        }
      },
      { onSegments() {}, onProgress() {} },
    )
    task.cancel()
    await expect(task.result).rejects.toThrow('cancelled')
    expect(cancelled).toEqual([0])
  })
})
