import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Callbacks, guardCallback } from '../../lib/guard-callback.ts'
import { log, setLogger } from '../../lib/log.ts'
import { FakeJob, fakeResult, turn } from './transcribe/fake-job.ts'

const unhandled = vi.fn()
const warned = vi.spyOn(process, 'emitWarning')

beforeEach(() => {
  process.on('unhandledRejection', unhandled)
  warned.mockImplementation(() => {})
})
afterEach(async () => {
  await turn()
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
  warned.mockReset()
})

const failure = new Error('the database is gone')

/** Ways to fail, of which the first two look alike to who wrote `async`. */
const failing = [
  [
    'throws',
    () => {
      throw failure
    },
  ],
  [
    'rejects at once',
    async () => {
      throw failure
    },
  ],
  [
    'rejects after some steps',
    async () => {
      for (let step = 0; step < 20; step++) await undefined
      throw failure
    },
  ],
  [
    'returns a thenable that rejects',
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: it is one
      then: (_: unknown, reject: (error: unknown) => void) => reject(failure),
    }),
  ],
] as const

describe.each(failing)('a callback that %s', (_, callback: () => unknown) => {
  it('fails the work that calls it, and is not called again', async () => {
    const spy = vi.fn(callback)
    const told = guardCallback<number>(spy, undefined)
    told.call(1)
    await expect(told.end()).rejects.toBe(failure)
    expect(told.signal).toMatchObject({ aborted: true, reason: failure })
    told.call(2)
    expect(spy).toHaveBeenCalledTimes(1)
  })

  it.each(['onSegment', 'onProgress'] as const)('fails a transcription as its %s', async (name) => {
    const job = new FakeJob()
    const transcription = job.transcribe({ [name]: callback as () => void })
    await turn()
    job.emit(0)
    job.events.onProgress(0.5)
    await expect(transcription).rejects.toBe(failure)
    await turn()
    expect(job.cancelled).toBe(1)
  })

  it('fails a transcription at its very end', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe({ onProgress: callback as () => void })
    await turn()
    job.finish(fakeResult)
    await expect(transcription).rejects.toBe(failure)
  })

  it('as the logger is told once', async () => {
    setLogger(callback as () => void)
    log('info', 'one')
    await turn()
    log('info', 'two')
    await turn()
    setLogger(null)
    expect(warned).toHaveBeenCalledOnce()
    expect(warned).toHaveBeenCalledWith(expect.stringContaining('the database is gone'), expect.anything())
  })
})

describe('a callback that returns a promise', () => {
  it('is not waited for', async () => {
    const job = new FakeJob()
    const transcription = job.transcribe({ onProgress: () => new Promise(() => {}) as unknown as undefined })
    await turn()
    job.finish(fakeResult)
    expect(await transcription).toBe(fakeResult)
  })

  it('may wait for the job itself', async () => {
    const job = new FakeJob()
    const seen: unknown[] = []
    const transcription = job.transcribe({
      onProgress: async () => {
        seen.push(await transcription)
      },
    })
    await turn()
    job.finish(fakeResult)
    expect(await transcription).toBe(fakeResult)
    await turn()
    expect(seen).toEqual([fakeResult])
  })

  it('that rejects when the job is done is a warning of the process', async () => {
    const failed = vi.fn()
    const callbacks = new Callbacks(failed)
    callbacks.call(async () => {
      await sleep(5)
      throw failure
    }, undefined)
    await callbacks.end()
    await vi.waitFor(() => expect(warned).toHaveBeenCalledOnce())
    expect(failed).not.toHaveBeenCalled()
    expect(warned.mock.calls[0]?.[0]).toContain('the database is gone')
  })

  it("that rejects after the caller's signal has aborted changes nothing", async () => {
    const controller = new AbortController()
    const told = guardCallback<number>(async () => {
      await sleep(1)
      throw failure
    }, controller.signal)
    told.call(1)
    controller.abort('enough')
    await expect(told.end()).rejects.toBe('enough')
    await sleep(5)
    expect(told.signal.reason).toBe('enough')
  })
})
