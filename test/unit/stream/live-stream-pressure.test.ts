import { describe, expect, it } from 'vitest'
import type { StreamEvent } from '../../../lib/stream/types.ts'
import { FakeEar, FakeHost, inShort, loud, openStream, quiet, readAll, settled } from './fakes.ts'

const PAUSE = 16

/** Reads what is there to be read. */
async function readNow(live: NodeJS.ReadableStream): Promise<StreamEvent[]> {
  const events = readAll(live as Parameters<typeof readAll>[0])
  await settled()
  live.pause()
  return events
}

describe('a slow reader', () => {
  it('gets the newest partial of each utterance, the newest statistics, and everything else', async () => {
    const { live, say, answer } = openStream({ partials: true })
    for (let utterance = 0; utterance < 3; utterance++) {
      for (const text of [' a', ' a b', ' a b c']) {
        await say(loud(30))
        await answer(text)
      }
      await say(quiet(PAUSE))
      await answer(' A b c.')
    }
    const events = await readNow(live)
    expect(inShort(events)).toEqual([
      'speech-start 0',
      'partial 0 "" "a b c"',
      'speech-end 90',
      'final 0 "A b c." silence',
      'speech-start 106',
      'partial 1 "" "a b c"',
      'speech-end 196',
      'final 1 "A b c." silence',
      'speech-start 212',
      'partial 2 "" "a b c"',
      'speech-end 302',
      'final 2 "A b c." silence',
    ])
    expect(events.filter(({ type }) => type === 'stats')).toHaveLength(1)
  })

  it('may be one that takes one event now and then', async () => {
    const { live, say, answer } = openStream({ partials: true })
    const events = live[Symbol.asyncIterator]()
    const read: StreamEvent[] = []
    for (let second = 0; second < 10; second++) {
      await say(loud(30))
      await answer(` ${second}`)
      if (second % 4 === 0) read.push((await events.next()).value)
    }
    await say(quiet(PAUSE))
    await answer(' All.')
    live.end()
    for await (const event of events) read.push(event)
    const seen = read.flatMap((event) => (event.type === 'partial' ? [event.revision] : []))
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(seen.at(-1)).toBe(9)
    expect(seen.length).toBeLessThan(6)
    expect(inShort(read).at(-1)).toBe('final 0 "All." silence')
  })

  it('holds up the writer in the end, until it reads on', async () => {
    const { live, host } = openStream({ vad: { minSilenceDurationMs: 100 } })
    // Each blip is too short to be an utterance, and makes two events.
    const blips = Buffer.concat(Array.from({ length: 500 }, () => Buffer.concat([loud(1), quiet(6)])))
    let taken = 0
    for (let i = 0; i < 40; i++) live.write(blips, () => taken++)
    live.write(loud(30))
    const finished = live.finish()
    for (let i = 0; i < 100; i++) await settled()
    expect(taken).toBe(20)
    expect(host.calls).toEqual([])

    const events = readAll(live)
    while (host.running() === undefined) await settled()
    expect(taken).toBe(40)
    host.running()?.answer(' Still here.')
    await finished
    await settled()
    expect(inShort(events).at(-1)).toBe('final 20000 "Still here." end')
    expect(events.filter(({ type }) => type === 'speech-start')).toHaveLength(20_001)
  })

  it('that never reads does not hold up another stream', async () => {
    const host = new FakeHost()
    const [deaf, other] = [openStream({ partials: true }, host), openStream({ partials: true }, host)]
    const events = readAll(other.live)
    for (let second = 0; second < 20; second++) {
      const bytes = second % 2 === 0 ? loud(31) : quiet(31)
      deaf.live.write(bytes)
      other.live.write(bytes)
      await settled()
      for (let i = 0; i < 4 && host.running() !== undefined; i++) await other.answer(' a')
    }
    expect(events.filter(({ type }) => type === 'final')).toHaveLength(10)
    expect((await readNow(deaf.live)).filter(({ type }) => type === 'final')).toHaveLength(10)
  })
})

describe('a slow machine', () => {
  it('holds up the writer while half a minute of finals wait, and drops nothing', async () => {
    const { live, host, answer } = openStream()
    const events = readAll(live)
    const utterance = Buffer.concat([loud(280), quiet(PAUSE)])
    const taken: number[] = []
    for (let i = 0; i < 6; i++) live.write(utterance, () => taken.push(i))
    await settled()
    // Three of 9.5 s each are less than that, four are more; the fourth is heard, and held.
    expect(taken).toEqual([0, 1, 2])
    expect(host.calls).toHaveLength(1)
    await answer(' 0.')
    expect(taken).toEqual([0, 1, 2, 3])
    await answer(' 1.')
    expect(taken).toEqual([0, 1, 2, 3, 4])
    const finished = live.finish()
    for (let i = 2; i < 6; i++) await answer(` ${i}.`)
    await finished
    const finals = events.filter((event) => event.type === 'final')
    expect(finals.map(({ text, utterance: number }) => [text, number])).toEqual([
      ['0.', 0],
      ['1.', 1],
      ['2.', 2],
      ['3.', 3],
      ['4.', 4],
      ['5.', 5],
    ])
  })

  it('takes no more of a very long chunk than it can keep', async () => {
    /** To this one 250 bytes are a frame: a piece of 8000 bytes is about a second. */
    class FakeSlowEar extends FakeEar {
      frames = 0
      override push(bytes: Uint8Array) {
        this.frames += bytes.length / 250
        return super.push(bytes.filter((_, i) => i % 250 === 0))
      }
    }
    const ear = new FakeSlowEar()
    const { live, answer } = openStream({ sampleRate: 1000 }, new FakeHost(), ear)
    const events = readAll(live)
    const chunk = Buffer.concat(Array.from({ length: 6 }, () => [loud(280 * 250), quiet(PAUSE * 250)]).flat())
    let isTaken = false
    live.write(chunk, () => {
      isTaken = true
    })
    const heardOf = async () => {
      for (let i = 0; i < 100; i++) await settled()
      return Math.round(ear.frames / 296)
    }
    expect(await heardOf()).toBe(4)
    await answer(' 0.')
    expect(await heardOf()).toBe(5)
    expect(isTaken).toBe(false)
    for (let i = 1; i < 6; i++) {
      await answer(` ${i}.`)
      await heardOf()
    }
    expect(isTaken).toBe(true)
    const texts = events.flatMap((event) => (event.type === 'final' ? [event.text] : []))
    expect(texts).toEqual(['0.', '1.', '2.', '3.', '4.', '5.'])
  })

  it('does not hold up a writer of silence', async () => {
    const { live, host, say } = openStream()
    await say(loud(30), quiet(PAUSE))
    expect(host.running()).toBeDefined()
    for (let i = 0; i < 50; i++) {
      expect(live.write(quiet(500))).toBe(true)
      await settled()
    }
  })

  it('keeps the finals of streams that wait before the partials of others', async () => {
    const host = new FakeHost()
    const open = () => openStream({ partials: true }, host)
    const [busy, first, second] = [open(), open(), open()]
    await busy.say(loud(30))
    await first.say(loud(30))
    await second.say(loud(10), quiet(PAUSE))
    await busy.answer(' Busy')
    expect(host.running()?.kind).toBe('careful')
    await second.answer(' Second.')
    expect(host.running()?.kind).toBe('guess')
  })
})
