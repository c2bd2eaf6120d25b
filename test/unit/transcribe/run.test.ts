import { describe, expect, it } from 'vitest'
import type {
  NativeAudioSource,
  NativeEvents,
  NativeResult,
  NativeTranscribeOptions,
} from '../../../lib/native.ts'
import { type Runner, startTranscription } from '../../../lib/transcribe/run.ts'
import { Scheduler } from '../../../lib/transcribe/scheduler.ts'
import type { Segment } from '../../../lib/transcribe/types.ts'
import { FakeByteStore } from '../audio/fake-byte-store.ts'
import { fakeSegment, turn } from './fake-job.ts'

const result: NativeResult = {
  language: 'en',
  languageProbability: 0.9,
  duration: 10,
  channels: 1,
  onGpu: false,
  gpuNodes: 0,
  cpuNodes: 7,
  cpuOperations: ['MUL_MAT'],
  wallSeconds: 2,
  phases: { decode: 0.5, mel: 0, vad: 0, encode: 1, prompt: 0.2, sample: 0.3 },
  warnings: [],
}

interface Call {
  audio: NativeAudioSource
  options: NativeTranscribeOptions
  events: NativeEvents
  finish(): void
  cancelled: boolean
}

/** A fake native model whose jobs end when the test says so. */
function fakeRunner(concurrency = 1) {
  const calls: Call[] = []
  const closing = new AbortController()
  const runner: Runner = {
    addon: { ByteStore: FakeByteStore },
    facts: {
      multilingual: true,
      languages: ['en', 'de'],
      vocabularySize: 51_865,
      tokenize: () => [],
      maxThreads: 2,
    },
    scheduler: new Scheduler(concurrency),
    disposal: closing.signal,
    model: {
      device: 'A CPU',
      transcribe(audio, options, events) {
        const call = { audio, options, events, cancelled: false } as Call
        const ended = new Promise<NativeResult>((resolve, reject) => {
          call.finish = () =>
            call.cancelled
              ? reject(Object.assign(new Error('cancelled'), { code: 'ERR_CANCELLED' }))
              : resolve(result)
        })
        calls.push(call)
        return {
          result: ended,
          cancel() {
            call.cancelled = true
          },
        }
      },
    },
  }
  return { runner, calls, closing, at: (i: number) => calls[i] as Call }
}

const audio = new Float32Array(16_000)

describe('startTranscription', () => {
  it('numbers the segments and makes the result', async () => {
    const { runner, at } = fakeRunner()
    const seen: Segment[] = []
    const transcription = startTranscription(runner, audio, {
      onSegment: (segment: Segment) => seen.push(segment),
    })
    await turn()
    const { id: _, words: __, speaker: ___, ...native } = fakeSegment(0)
    at(0).events.onSegments([
      { ...native, text: ' One' },
      { ...native, text: ' two.' },
    ])
    at(0).events.onSegments([{ ...native, text: ' Three ' }])
    at(0).events.onProgress(0.5)
    expect(transcription.progress).toBe(0.5)
    at(0).finish()
    const { text, segments, stats, ...rest } = await transcription
    expect(text).toBe('One two. Three')
    expect(segments.map(({ id, text }) => [id, text])).toEqual([
      [0, ' One'],
      [1, ' two.'],
      [2, ' Three '],
    ])
    expect(seen).toEqual(segments)
    expect(rest).toEqual({ language: 'en', languageProbability: 0.9, duration: 10, warnings: [] })
    expect(stats).toEqual({
      backend: 'cpu',
      device: 'A CPU',
      gpuNodes: 0,
      cpuNodes: 7,
      cpuOperations: ['MUL_MAT'],
      audioSeconds: 10,
      wallSeconds: 2,
      realTimeFactor: 5,
      phases: result.phases,
    })
    expect(at(0).audio).toMatchObject({ kind: 'pcm', format: 'f32', sampleRate: 16_000, channels: 1 })
    expect(at(0).options.beamSize).toBe(5)
  })

  it('hands the warnings of the job on, each once', async () => {
    const { runner } = fakeRunner()
    const warning = { code: 'AUDIO_DAMAGED', message: 'From 1 s to 2 s', start: 1, end: 2 } as const
    runner.model = {
      device: 'A CPU',
      transcribe: () => ({
        result: Promise.resolve({ ...result, warnings: [warning, { ...warning }] }),
        cancel() {},
      }),
    }
    expect((await startTranscription(runner, audio, {})).warnings).toStrictEqual([warning])
  })

  it('names the speakers of segments and words, where they are clear', async () => {
    const { runner, at } = fakeRunner()
    const transcription = startTranscription(runner, audio, { diarize: 'stereo' })
    await turn()
    expect(at(0).options.diarize).toBe(true)
    const { id: _, words: __, speaker: ___, ...native } = fakeSegment(0)
    const word = { text: ' s0', start: 0, end: 1, probability: 1, tokens: [1] }
    at(0).events.onSegments([
      {
        ...native,
        speaker: 0,
        words: [
          { ...word, speaker: 1 },
          { ...word, speaker: -1 },
        ],
      },
      { ...native, speaker: -1 },
    ])
    at(0).finish()
    const { segments } = await transcription
    const { tokens: ____, ...plain } = word
    expect(segments).toStrictEqual([
      { id: 0, ...native, speaker: 'left', words: [{ ...plain, speaker: 'right' }, plain] },
      { id: 1, ...native },
    ])
  })

  it.each([
    ['stereo', 1, ['DIARIZE_MONO']],
    ['stereo', 2, []],
    [false, 1, []],
  ])('with diarize %j and %i channel(s) warns of %j', async (diarize, channels, codes) => {
    const { runner } = fakeRunner()
    const ended = () => ({ result: Promise.resolve({ ...result, channels }), cancel() {} })
    runner.model = { device: 'A CPU', transcribe: ended }
    const { warnings } = await startTranscription(runner, audio, { diarize })
    expect(warnings.map(({ code }) => code)).toEqual(codes)
  })

  it('splits long segments before it numbers them', async () => {
    const { runner, at } = fakeRunner()
    const transcription = startTranscription(runner, audio, { maxSegmentLength: 4 })
    await turn()
    const { id: _, words: __, speaker: ___, ...native } = fakeSegment(0)
    at(0).events.onSegments([{ ...native, text: ' One two' }, native])
    at(0).finish()
    expect((await transcription).segments.map(({ id, text }) => [id, text])).toEqual([
      [0, ' One'],
      [1, ' two'],
      [2, ' s0'],
    ])
  })

  it('rejects wrong options, and does not throw them', async () => {
    const { runner, calls } = fakeRunner()
    await expect(startTranscription(runner, audio, { beamSize: 33 })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    })
    expect(calls).toEqual([])
  })

  it('queues, and frees the place of a cancelled job only when it has really ended', async () => {
    const { runner, calls, at } = fakeRunner()
    const first = startTranscription(runner, audio, {})
    const second = startTranscription(runner, audio, {})
    await turn()
    expect(calls).toHaveLength(1)
    first.cancel(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    await turn()
    expect(calls).toHaveLength(1)
    expect(at(0).cancelled).toBe(true)
    at(0).finish()
    await turn()
    expect(calls).toHaveLength(2)
    at(1).finish()
    expect((await second).duration).toBe(10)
  })

  it('ends all jobs, running and waiting, when the model is disposed', async () => {
    const { runner, calls, closing } = fakeRunner()
    const all = [startTranscription(runner, audio, {}), startTranscription(runner, audio, {})]
    await turn()
    const reason = new Error('disposed')
    closing.abort(reason)
    for (const transcription of all) await expect(transcription).rejects.toBe(reason)
    expect(calls).toHaveLength(1)
    await expect(startTranscription(runner, audio, {})).rejects.toBe(reason)
  })

  it('rejects bad audio without taking a place', async () => {
    const { runner, calls } = fakeRunner()
    await expect(startTranscription(runner, '/nowhere/x.wav', {})).rejects.toMatchObject({
      code: 'ERR_AUDIO_DECODE',
    })
    expect([calls.length, runner.scheduler.running]).toEqual([0, 0])
  })
})
