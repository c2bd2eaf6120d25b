import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WhisperHipError } from '../../../lib/errors.ts'
import { TranscriptionJob } from '../../../lib/transcribe/transcription.ts'
import type { Segment } from '../../../lib/transcribe/types.ts'
import { FakeJob, fakeResult, turn } from './fake-job.ts'

/** Reads an iterable to its end. */
async function read(segments: AsyncIterable<Segment>): Promise<number[]> {
  const ids: number[] = []
  for await (const { id } of segments) ids.push(id)
  return ids
}

describe('as a promise', () => {
  it('starts by itself, once, but not before it is returned', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe()
    expect(job.started).toBe(0)
    await turn()
    expect(job.started).toBe(1)
    job.finish(fakeResult)
    expect(await transcription).toBe(fakeResult)
    expect(await transcription).toBe(fakeResult)
    await read(transcription)
    expect(job.started).toBe(1)
  })

  it('has then, catch, finally and a tag', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe()
    expect(Object.prototype.toString.call(transcription)).toBe('[object Transcription]')
    job.finish(fakeResult)
    const steps: string[] = []
    await transcription.then(({ text }) => steps.push(text))
    await transcription.finally(() => steps.push('finally'))
    expect(await Promise.all([transcription, transcription.catch(() => {})])).toEqual([
      fakeResult,
      fakeResult,
    ])
    expect(steps).toEqual(['done', 'finally'])
  })

  it('rejects with what the job or its start fails with', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe()
    job.fail(new TypeError('broken'))
    await expect(transcription).rejects.toThrow('broken')
    await expect(transcription.catch(String)).resolves.toBe('TypeError: broken')
    for (const start of [
      () => Promise.reject(new Error('early')),
      () => {
        throw new Error('early')
      },
    ]) {
      await expect(new TranscriptionJob({ start })).rejects.toThrow('early')
    }
  })

  it('turns a native error into the error class, with the frames of the caller', async () => {
    const native = Object.assign(new Error('No memory for the state'), { code: 'ERR_OUT_OF_MEMORY' })
    function theCaller() {
      return new TranscriptionJob({ start: () => Promise.reject(native) })
    }
    const error = (await theCaller().catch((reason) => reason)) as WhisperHipError
    expect(error).toBeInstanceOf(WhisperHipError)
    expect(error).toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      message: 'No memory for the state',
      cause: native,
    })
    expect(error.stack).toContain('theCaller')
  })

  it('never shows that a job was cancelled by nobody', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe()
    await turn()
    job.cancel()
    await expect(transcription).rejects.toMatchObject({ code: 'ERR_INTERNAL' })
  })
})

describe('as an iterable', () => {
  it('yields segments as they come, then ends', async () => {
    const job = new FakeJob()
    const iterator = job.transcribe()[Symbol.asyncIterator]()
    const first = iterator.next()
    await turn()
    job.emit(0)
    expect((await first).value?.id).toBe(0)
    job.emit(1, 2)
    expect((await iterator.next()).value?.id).toBe(1)
    job.finish(fakeResult)
    await turn()
    expect((await iterator.next()).value?.id).toBe(2)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  it('yields all segments from the first one on, each time', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe()
    await turn()
    job.emit(0, 1)
    const early = read(transcription)
    await turn()
    const late = read(transcription)
    job.emit(2)
    job.finish(fakeResult)
    expect(await early).toEqual([0, 1, 2])
    expect(await late).toEqual([0, 1, 2])
    expect(await read(transcription)).toEqual([0, 1, 2])
  })

  it('answers reads in order, also those made at once', async () => {
    const job = new FakeJob()
    const iterator = job.transcribe()[Symbol.asyncIterator]()
    const reads = [iterator.next(), iterator.next(), iterator.next()]
    await turn()
    job.emit(0, 1)
    job.finish(fakeResult)
    expect((await Promise.all(reads)).map(({ value }) => value?.id)).toEqual([0, 1, undefined])
  })

  it('yields what came before a failure, then rejects, then ends', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe()
    const iterator = transcription[Symbol.asyncIterator]()
    const first = iterator.next()
    await turn()
    job.emit(0, 1)
    job.fail(new Error('broken'))
    expect((await first).value?.id).toBe(0)
    expect((await iterator.next()).value?.id).toBe(1)
    await expect(iterator.next()).rejects.toThrow('broken')
    expect((await iterator.next()).done).toBe(true)
    await expect(transcription).rejects.toThrow('broken')
  })

  it.each(['break', 'throw'])('cancels when the loop is left by %s', async (way) => {
    const job = new FakeJob()
    const transcription = job.transcribe()
    await turn()
    job.emit(0, 1)
    const loop = async () => {
      for await (const _ of transcription) {
        if (way === 'break') break
        throw new Error('enough')
      }
    }
    await loop().catch((error) => expect(error.message).toBe('enough'))
    expect(job.cancelled).toBe(1)
    await expect(transcription).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('does not cancel what has ended when a loop is left', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe()
    await turn()
    job.emit(0, 1)
    job.finish(fakeResult)
    await transcription
    for await (const _ of transcription) break
    expect(job.cancelled).toBe(0)
    expect(await transcription).toBe(fakeResult)
  })

  it('ends a read that waits when its iterator is closed', async () => {
    const job = new FakeJob()
    const iterator = job.transcribe()[Symbol.asyncIterator]()
    const waiting = iterator.next()
    await turn()
    await iterator.return?.()
    expect((await waiting).done).toBe(true)
    expect((await iterator.next()).done).toBe(true)
  })
})

describe('cancelling', () => {
  it('rejects both sides with the reason, and drops what was not read', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe()
    await turn()
    job.emit(0, 1)
    const reason = new Error('no longer wanted')
    transcription.cancel(reason)
    transcription.cancel(new Error('again'))
    await expect(transcription).rejects.toBe(reason)
    await expect(read(transcription)).rejects.toBe(reason)
    expect(job.cancelled).toBe(1)
    expect(job.signal.reason).toBe(reason)
  })

  it('rejects with an AbortError for want of a reason', async () => {
    const transcription = new FakeJob().transcribe()
    transcription.cancel()
    await expect(transcription).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('never starts what was cancelled before', async () => {
    const aborted = new FakeJob()
    const byCall = new FakeJob()
    const first = aborted.transcribe({ signals: [AbortSignal.abort(new Error('early'))] })
    const second = byCall.transcribe()
    second.cancel(new Error('at once'))
    await expect(first).rejects.toThrow('early')
    await expect(second).rejects.toThrow('at once')
    await turn()
    expect([aborted.started, byCall.started]).toEqual([0, 0])
  })

  it('is done by a signal, with its reason, on both sides', async () => {
    const job = new FakeJob()
    const [disposal, user] = [new AbortController(), new AbortController()]
    const transcription = job.transcribe({ signals: [disposal.signal, user.signal] })
    const reading = read(transcription)
    await turn()
    user.abort('any value')
    await expect(transcription).rejects.toBe('any value')
    await expect(reading).rejects.toBe('any value')
    expect(job.cancelled).toBe(1)
  })

  it('reaches a job that is still being made', async () => {
    const job = new FakeJob()
    let made: (job: FakeJob) => void = () => {}
    const transcription = new TranscriptionJob({
      start: () =>
        new Promise((resolve) => {
          made = resolve
        }),
    })
    await turn()
    transcription.cancel(new Error('while preparing'))
    await expect(transcription).rejects.toThrow('while preparing')
    made(job)
    await turn()
    expect(job.cancelled).toBe(1)
  })

  it('is harmless after the end', async () => {
    const job = new FakeJob()
    const controller = new AbortController()
    const transcription = job.transcribe({ signals: [controller.signal] })
    await turn()
    job.finish(fakeResult)
    await transcription
    transcription.cancel()
    controller.abort()
    expect(await transcription).toBe(fakeResult)
    expect(job.cancelled).toBe(0)
  })

  it('leaves no listener on the signals, however it ends', async () => {
    const { signal } = new AbortController()
    const ends: ((job: FakeJob, transcription: TranscriptionJob) => void)[] = [
      (job) => job.finish(fakeResult),
      (job) => job.fail(new Error('broken')),
      (_, transcription) => transcription.cancel(),
    ]
    for (const end of ends) {
      const job = new FakeJob()
      const transcription = job.transcribe({ signals: [signal] })
      await turn()
      expect(getEventListeners(signal, 'abort')).toHaveLength(1)
      end(job, transcription)
      await transcription.catch(() => {})
      expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    }
    new FakeJob().transcribe({ signals: [signal, AbortSignal.abort()] }).catch(() => {})
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  describe('with one signal for many', () => {
    const warnings: Error[] = []
    const collect = (warning: Error) => warnings.push(warning)
    beforeEach(() => process.on('warning', collect))
    afterEach(() => process.off('warning', collect))

    it('does not warn of a leak', async () => {
      const controller = new AbortController()
      const many = Array.from({ length: 30 }, () =>
        new FakeJob().transcribe({ signals: [controller.signal] }),
      )
      await turn()
      controller.abort(new Error('all'))
      for (const transcription of many) await expect(transcription).rejects.toThrow('all')
      expect(warnings).toEqual([])
    })
  })
})

describe('progress', () => {
  it('only grows, stays in 0..1 and ends at 1', async () => {
    const job = new FakeJob()
    const seen: number[] = []
    const transcription = job.transcribe({ onProgress: (progress) => seen.push(progress) })
    expect(transcription.progress).toBe(0)
    await turn()
    for (const progress of [0, 0.25, 0.2, Number.NaN, 0.5, 0.5, -1]) job.events.onProgress(progress)
    expect(transcription.progress).toBe(0.5)
    job.finish(fakeResult)
    await transcription
    expect(transcription.progress).toBe(1)
    expect(seen).toEqual([0.25, 0.5, 1])
  })

  it('is cut at 1 and told once', async () => {
    const job = new FakeJob()
    const seen: number[] = []
    const transcription = job.transcribe({ onProgress: (progress) => seen.push(progress) })
    await turn()
    job.events.onProgress(7)
    job.finish(fakeResult)
    await transcription
    expect(seen).toEqual([1])
  })
})

describe('callbacks', () => {
  it('get each segment in order', async () => {
    const job = new FakeJob()
    const seen: number[] = []
    const transcription = job.transcribe({ onSegment: ({ id }) => seen.push(id) })
    await turn()
    job.emit(0, 1)
    job.emit(2)
    job.finish(fakeResult)
    await transcription
    expect(seen).toEqual([0, 1, 2])
  })

  it.each(['onSegment', 'onProgress'] as const)('cancel the job with what %s throws', async (name) => {
    const job = new FakeJob()
    const mistake = new Error('my own mistake')
    let calls = 0
    const transcription = job.transcribe({
      [name]: () => {
        calls++
        throw mistake
      },
    })
    const reading = read(transcription)
    await turn()
    job.events.onProgress(0.5)
    job.emit(0, 1)
    await expect(transcription).rejects.toBe(mistake)
    await expect(reading).rejects.toBe(mistake)
    expect(job.cancelled).toBe(1)
    expect(calls).toBe(1)
  })

  it('reject it even at the very end', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe({
      onProgress: () => {
        throw new Error('late')
      },
    })
    job.finish(fakeResult)
    await expect(transcription).rejects.toThrow('late')
  })

  it('are not called any more after the end', async () => {
    const job = new FakeJob()
    const seen: unknown[] = []
    const transcription = job.transcribe({
      onSegment: (segment) => seen.push(segment),
      onProgress: (p) => seen.push(p),
    })
    await turn()
    transcription.cancel()
    job.emit(0)
    job.events.onProgress(0.5)
    await transcription.catch(() => {})
    expect(seen).toEqual([])
    expect(transcription.progress).toBe(0)
  })
})
