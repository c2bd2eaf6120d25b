import { getEventListeners, once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { WhisperHipError } from '../../../lib/errors.ts'
import type { StreamEvent, StreamOptions } from '../../../lib/stream/types.ts'
import { closed, FakeHost, failure, loud, openStream, quiet, readAll, settled } from './fakes.ts'

const PAUSE = 16
const disposed = { name: 'WhisperHipError', code: 'ERR_DISPOSED' }

/** A moment in the life of a stream. */
const moments = {
  'nothing was written': async () => openStream(),
  'it waits for its turn': async () => {
    const host = new FakeHost()
    const busy = openStream({}, host)
    await busy.say(loud(30), quiet(PAUSE))
    const opened = openStream({}, host)
    await opened.say(loud(30), quiet(PAUSE))
    expect(host.scheduler.waiting).toBe(1)
    return opened
  },
  'it decodes a partial': async () => {
    const opened = openStream({ partials: true })
    await opened.say(loud(30))
    return opened
  },
  'it decodes ahead': async () => {
    const opened = openStream()
    await opened.say(loud(30), quiet(8))
    return opened
  },
  'it decodes a final': async () => {
    const opened = openStream()
    await opened.say(loud(30), quiet(PAUSE))
    return opened
  },
  'its writer is held': async () => {
    const opened = openStream()
    for (let i = 0; i < 10; i++) opened.live.write(Buffer.concat([loud(280), quiet(PAUSE)]))
    await settled()
    return opened
  },
  'it has ended and decodes the last final': async () => {
    const opened = openStream()
    opened.live.end(loud(30))
    await settled()
    return opened
  },
}

describe.each(Object.entries(moments))('while %s', (moment, open) => {
  const expectNothingRuns = (host: FakeHost) => {
    const own = host.calls.slice(moment === 'it waits for its turn' ? 1 : 0)
    expect(own.filter(({ done, cancelled }) => !done && !cancelled)).toEqual([])
    expect(host.scheduler.waiting).toBe(0)
  }

  it('destroy() cancels the decoding, and nothing more is told', async () => {
    const { live, host } = await open()
    const events = readAll(live)
    await settled()
    const pending = moment === 'nothing was written' ? [] : [failure(live.flush()), failure(live.finish())]
    await settled()
    const told = events.length
    const calls = host.calls.length
    live.destroy()
    await closed({ live })
    await settled()
    expectNothingRuns(host)
    expect(events).toHaveLength(told)
    expect(host.calls).toHaveLength(calls)
    for (const error of await Promise.all(pending)) expect(error).toMatchObject(disposed)
    expect(await failure(live.flush())).toMatchObject(disposed)
    expect(await failure(live.finish())).toMatchObject(disposed)
  })

  it('destroy(error) fails with it, everywhere', async () => {
    const { live, host } = await open()
    const error = new Error('mine')
    const emitted = once(live, 'error')
    const loop = failure(
      (async () => {
        for await (const _ of live);
      })(),
    )
    // Where nothing is spoken there is nothing to wait for.
    const pending = moment === 'nothing was written' ? [] : [failure(live.finish()), failure(live.flush())]
    live.destroy(error)
    expect(await emitted).toEqual([error])
    expect(await loop).toBe(error)
    for (const each of await Promise.all(pending)) expect(each).toBe(error)
    expect(await failure(live.flush())).toBe(error)
    expect(await failure(live.finish())).toBe(error)
    await settled()
    expectNothingRuns(host)
  })

  it('leaving the loop destroys it', async () => {
    const { live, host } = await open()
    if (moment === 'nothing was written') await live.write(Buffer.concat([loud(3), quiet(PAUSE)]))
    for await (const _ of live) break
    expect(live.destroyed).toBe(true)
    await settled()
    expectNothingRuns(host)
  })

  it('await using ends it', async () => {
    const { live, host } = await open()
    {
      await using _ = live
    }
    expect(live.closed).toBe(true)
    expectNothingRuns(host)
    await live[Symbol.asyncDispose]()
  })

  it('its model may go: an error where somebody listens', async () => {
    const { live, host } = await open()
    const gone = new WhisperHipError('ERR_DISPOSED', 'The model has been disposed')
    const emitted = once(live, 'error')
    live.abandon(gone)
    expect(await emitted).toEqual([gone])
    await settled()
    expectNothingRuns(host)
  })

  it('its model may go: the end where nobody listens', async () => {
    const { live, host } = await open()
    const flushed = failure(live.flush())
    await settled()
    const gone = new WhisperHipError('ERR_DISPOSED', 'The model has been disposed')
    // In flush() of an ended stream somebody listens.
    const listens = live.listenerCount('error') > 0
    live.abandon(gone)
    if (!listens) await closed({ live })
    if (moment !== 'nothing was written') expect(await flushed).toMatchObject(disposed)
    await settled()
    expectNothingRuns(host)
  })
})

describe('a signal', () => {
  const streams: Record<string, (options: StreamOptions) => Promise<ReturnType<typeof openStream>>> = {
    'while it is idle': async (options) => openStream(options),
    'while it waits for its turn': async (options) => {
      const host = new FakeHost()
      await openStream({}, host).say(loud(30), quiet(PAUSE))
      const opened = openStream(options, host)
      await opened.say(loud(30), quiet(PAUSE))
      return opened
    },
    'while it decodes': async (options) => {
      const opened = openStream(options)
      await opened.say(loud(30), quiet(PAUSE))
      return opened
    },
  }

  it.each(Object.entries(streams))('ends the stream with its reason %s', async (moment, open) => {
    const controller = new AbortController()
    const { live, host } = await open({ signal: controller.signal })
    const reason = { why: 'no longer wanted' }
    const emitted = once(live, 'error')
    const loop = failure(
      (async () => {
        for await (const _ of live);
      })(),
    )
    controller.abort(reason)
    expect((await emitted)[0]).toBe(reason)
    expect(await loop).toBe(reason)
    expect(await failure(live.finish())).toBe(reason)
    expect(await failure(live.flush())).toBe(reason)
    expect(host.scheduler.waiting).toBe(0)
    expect(host.calls.at(-1)?.cancelled ?? false).toBe(moment === 'while it decodes')
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it('that was aborted before ends it before it begins', async () => {
    const reason = new Error('too late')
    const { live } = openStream({ signal: AbortSignal.abort(reason) })
    expect(await failure(live.flush())).toBe(reason)
    expect(await failure(live.finish())).toBe(reason)
    await expect(
      (async () => {
        for await (const _ of live);
      })(),
    ).rejects.toBe(reason)
  })

  it('after the end does nothing, and is not listened to', async () => {
    const controller = new AbortController()
    const { live } = openStream({ signal: controller.signal })
    readAll(live)
    await live.finish()
    await closed({ live })
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    controller.abort(new Error('too late'))
    await settled()
    expect(live.errored).toBeNull()
  })
})

describe('what fails while it is decoded', () => {
  it.each([
    ['a partial', loud(30), { partials: true }],
    ['a final', Buffer.concat([loud(30), quiet(PAUSE)]), {}],
  ] as const)('as %s is the error of the stream, with the stack of its maker', async (_, bytes, options) => {
    const { live, host } = openStream(options)
    live.write(bytes)
    await settled()
    const flushed = failure(live.flush())
    const emitted = once(live, 'error')
    await settled()
    host.running()?.fail(Object.assign(new Error('The GPU is gone'), { code: 'ERR_GPU_NOT_USED' }))
    const [error] = await emitted
    expect(error).toBeInstanceOf(WhisperHipError)
    expect(error).toMatchObject({ code: 'ERR_GPU_NOT_USED', message: 'The GPU is gone' })
    expect(error.stack).toContain('live-stream-fails.test.ts')
    expect(await flushed).toBe(error)
    expect(await failure(live.finish())).toBe(error)
  })

  it('lets other streams go on', async () => {
    const host = new FakeHost()
    const [first, second] = [openStream({}, host), openStream({}, host)]
    const events: StreamEvent[] = readAll(second.live)
    await first.say(loud(30), quiet(PAUSE))
    await second.say(loud(30), quiet(PAUSE))
    const emitted = once(first.live, 'error')
    host.running()?.fail(new Error('no'))
    await emitted
    await second.answer(' Yes.')
    expect(events.find(({ type }) => type === 'final')).toMatchObject({ text: 'Yes.' })
  })
})
