import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { FinalEvent, StreamEvent } from '../../../lib/stream/types.ts'
import { closed, inShort, loud, openStream, quiet, readAll, SECONDS, settled } from './fakes.ts'

const PAUSE = 16

/** Whether a promise has been fulfilled by now. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  await settled()
  return Promise.race([promise.then(() => true), settled().then(() => false)])
}

describe('flush', () => {
  it('ends the utterance that goes on, and resolves when its final is there', async () => {
    const { live, answer } = openStream()
    live.write(loud(30))
    const flushed = live.flush()
    expect(await isDone(flushed)).toBe(false)
    await answer(' Yes.')
    await flushed
    const events = readAll(live)
    await settled()
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 30', 'final 0 "Yes." flush'])
  })

  it('is about what was written before, not what is written after', async () => {
    const { live, answer } = openStream()
    const events = readAll(live)
    live.write(loud(30))
    const flushed = live.flush()
    live.write(loud(40))
    await settled()
    await answer(' One.')
    await flushed
    expect(inShort(events)).toEqual([
      'speech-start 0',
      'speech-end 30',
      'speech-start 30',
      'final 0 "One." flush',
    ])
    const second = live.flush()
    await settled()
    await answer(' Two.')
    await second
    const finals = events.filter((event): event is FinalEvent => event.type === 'final')
    expect(finals.map(({ start, end }) => [start, end])).toEqual([
      [0, 30 * SECONDS],
      [30 * SECONDS, 70 * SECONDS],
    ])
  })

  it('waits for the utterances before', async () => {
    const { live, answer } = openStream()
    live.write(Buffer.concat([loud(30), quiet(PAUSE)]))
    const flushed = live.flush()
    expect(await isDone(flushed)).toBe(false)
    await answer(' Yes.')
    expect(await isDone(flushed)).toBe(true)
  })

  it('resolves at once where nothing is spoken', async () => {
    const { live, host } = openStream()
    await live.flush()
    live.write(quiet(100))
    await live.flush()
    expect(host.calls).toEqual([])
    expect(inShort(readAll(live))).toEqual([])
  })

  it('may be called again and again', async () => {
    const { live, host, answer } = openStream()
    live.write(loud(30))
    const all = Promise.all([live.flush(), live.flush(), live.flush()])
    await settled()
    await answer(' Yes.')
    await all
    expect(host.calls).toHaveLength(1)
  })

  it('after the end is finish', async () => {
    const { live, answer } = openStream()
    live.end(loud(30))
    const flushed = live.flush()
    await settled()
    await answer(' Yes.')
    await flushed
    expect(inShort(readAll(live))).toEqual([])
    expect(live.writableFinished).toBe(true)
  })

  it('lets a pause be what it was', async () => {
    const { live, say, answer } = openStream()
    const events = readAll(live)
    await say(loud(30), quiet(8))
    await answer(' Yes.')
    await live.flush()
    await settled()
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 30', 'final 0 "Yes." flush'])
  })
})

describe('the end', () => {
  it('ends the utterance that goes on', async () => {
    const { live, answer } = openStream()
    const events = readAll(live)
    live.write(loud(30))
    const finished = live.finish()
    expect(await isDone(finished)).toBe(false)
    await answer(' Yes.')
    await finished
    await closed({ live })
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 30', 'final 0 "Yes." end'])
  })

  it('lets all events be read, and then the loop ends', async () => {
    const { live, answer } = openStream()
    live.write(Buffer.concat([loud(30), quiet(PAUSE), loud(30)]))
    live.end()
    await settled()
    await answer(' One.')
    await answer(' Two.')
    const events: StreamEvent[] = []
    for await (const event of live) events.push(event)
    expect(inShort(events)).toEqual([
      'speech-start 0',
      'speech-end 30',
      'speech-start 46',
      'speech-end 76',
      'final 0 "One." silence',
      'final 1 "Two." end',
    ])
    expect(live.destroyed).toBe(true)
  })

  it.each([
    ['nothing', []],
    ['silence', [quiet(1000)]],
    ['a noise that is too short', [loud(2)]],
  ])('after %s comes without an utterance', async (_, chunks: Buffer[]) => {
    const { live, host } = openStream()
    for (const chunk of chunks) live.write(chunk)
    const events = readAll(live)
    await live.finish()
    await closed({ live })
    expect(host.calls).toEqual([])
    expect(events.filter(({ type }) => !type.startsWith('speech'))).toEqual([])
  })

  it('may be asked for twice', async () => {
    const { live } = openStream()
    readAll(live)
    await Promise.all([live.finish(), live.finish()])
    await live.finish()
  })

  it('is that of a stream that is piped in', async () => {
    const { live, answer } = openStream()
    const events = readAll(live)
    Readable.from([loud(20), loud(10), quiet(PAUSE), Buffer.alloc(0)]).pipe(live)
    for (let i = 0; i < 5; i++) await settled()
    await answer(' Piped.')
    await closed({ live })
    expect(inShort(events)).toEqual(['speech-start 0', 'speech-end 30', 'final 0 "Piped." silence'])
  })

  it('comes with the last final, though nobody reads', async () => {
    const { live, answer } = openStream()
    live.write(loud(30))
    const finished = live.finish()
    await settled()
    await answer(' Yes.')
    await finished
    expect(live.destroyed).toBe(false)
  })

  it('is the end: what is written after it is an error of Node', async () => {
    const { live } = openStream()
    readAll(live)
    await live.finish()
    const failed = new Promise((resolve) => live.write(loud(1), resolve))
    expect(await failed).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' })
  })
})

describe('an event handler', () => {
  it('may write, flush and end', async () => {
    const { live, host, answer } = openStream()
    const events: StreamEvent[] = []
    let flushed = 0
    live.on('data', (event: StreamEvent) => {
      events.push(event)
      if (event.type === 'speech-start' && event.time === 0) live.flush().then(() => flushed++)
      if (event.type === 'final' && event.utterance === 0) live.write(Buffer.concat([loud(20), quiet(PAUSE)]))
      if (event.type === 'final' && event.utterance === 1) live.end()
    })
    live.write(loud(30))
    await settled()
    await answer(' One.')
    await answer(' Two.')
    await closed({ live })
    expect(flushed).toBe(1)
    expect(host.calls).toHaveLength(2)
    expect(inShort(events)).toEqual([
      'speech-start 0',
      'speech-end 30',
      'final 0 "One." flush',
      'speech-start 30',
      'speech-end 50',
      'final 1 "Two." silence',
    ])
  })

  it('may destroy', async () => {
    const { live, host } = openStream()
    live.on('data', () => live.destroy())
    live.write(Buffer.concat([loud(30), quiet(PAUSE)]))
    await closed({ live })
    await settled()
    expect(host.calls.filter(({ done }) => !done)).toEqual([])
  })
})
