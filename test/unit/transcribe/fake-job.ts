import {
  type Job,
  type JobEvents,
  TranscriptionJob,
  type TranscriptionSetup,
} from '../../../lib/transcribe/transcription.ts'
import type { Segment, TranscriptionResult } from '../../../lib/transcribe/types.ts'

export function fakeSegment(id: number): Segment {
  return {
    id,
    start: id,
    end: id + 1,
    text: ` s${id}`,
    temperature: 0,
    averageLogProbability: -0.1,
    compressionRatio: 1,
    noSpeechProbability: 0,
    tokens: [],
    language: 'en',
  }
}

export const fakeResult = { text: 'done', segments: [] as Segment[] } as TranscriptionResult

/** A fake native job: emits, ends and fails when the test says so; rejects when it is cancelled, as the addon does. */
export class FakeJob implements Job {
  started = 0
  cancelled = 0
  events!: JobEvents
  signal!: AbortSignal
  finish!: (result: TranscriptionResult) => void
  fail!: (error: unknown) => void
  readonly result = new Promise<TranscriptionResult>((resolve, reject) => {
    this.finish = resolve
    this.fail = reject
  })

  cancel(): void {
    this.cancelled++
    this.fail(Object.assign(new Error('cancelled'), { code: 'ERR_CANCELLED' }))
  }

  emit(...ids: number[]): void {
    this.events.onSegments(ids.map(fakeSegment))
  }

  /** A transcription that runs this job. */
  transcribe(setup: Omit<TranscriptionSetup, 'start'> = {}): TranscriptionJob {
    return new TranscriptionJob({
      ...setup,
      start: (events, signal) => {
        this.started++
        this.events = events
        this.signal = signal
        return this
      },
    })
  }
}

/** Lets all microtasks and one turn of the event loop pass. */
export const turn = () => new Promise((resolve) => setImmediate(resolve))
