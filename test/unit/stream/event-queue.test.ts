import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventQueue } from '../../../lib/stream/event-queue.ts'
import type { FinalEvent, PartialEvent, StreamEvent, StreamStatsEvent } from '../../../lib/stream/types.ts'

const partial = (utterance: number, revision: number): PartialEvent => ({
  type: 'partial',
  utterance,
  revision,
  committed: '',
  tentative: `${revision}`,
  words: [],
  committedWords: 0,
})
const final = (utterance: number): FinalEvent => ({
  type: 'final',
  utterance,
  text: `${utterance}`,
  words: [],
  start: 0,
  end: 1,
  reason: 'silence',
  language: 'en',
  averageLogProbability: 0,
})
const stats = (lag: number): StreamStatsEvent => ({
  type: 'stats',
  lag,
  realTimeFactor: 1,
  bufferedSeconds: 0,
  gpuNodes: 0,
  cpuNodes: 0,
})
const start = (time: number): StreamEvent => ({ type: 'speech-start', time })

function drain(...events: StreamEvent[]): StreamEvent[] {
  const queue = new EventQueue()
  for (const event of events) queue.push(event)
  const read: StreamEvent[] = []
  for (let event = queue.shift(); event !== undefined; event = queue.shift()) read.push(event)
  expect(queue.length).toBe(0)
  return read
}

describe('EventQueue', () => {
  it('gives events in order', () => {
    const events = [start(0), partial(0, 0), stats(1), final(0), start(2), partial(1, 0), final(1)]
    expect(drain(...events)).toEqual(events)
  })

  it('keeps the newest partial of each utterance', () => {
    expect(drain(partial(0, 0), partial(0, 1), partial(1, 0), partial(0, 2), partial(1, 1))).toEqual([
      partial(0, 2),
      partial(1, 1),
    ])
  })

  it('keeps the newest statistics', () => {
    expect(drain(stats(1), final(0), stats(2))).toEqual([final(0), stats(2)])
  })

  it('does not replace what was read', () => {
    const queue = new EventQueue()
    queue.push(partial(0, 0))
    expect(queue.shift()).toEqual(partial(0, 0))
    queue.push(partial(0, 1))
    expect([queue.length, queue.shift(), queue.shift()]).toEqual([1, partial(0, 1), undefined])
  })

  it('never loses anything else', () => {
    const anyEvent = fc.oneof(
      fc.tuple(fc.nat(3), fc.nat(9)).map(([utterance, revision]) => partial(utterance, revision)),
      fc.nat(9).map(stats),
      fc.nat(9).map(final),
      fc.nat(9).map(start),
      fc.nat(9).map((time): StreamEvent => ({ type: 'speech-end', time })),
    )
    const stays = ({ type }: StreamEvent) => type !== 'partial' && type !== 'stats'
    fc.assert(
      fc.property(fc.array(anyEvent), (events) => {
        const read = drain(...events)
        expect(read.filter(stays)).toEqual(events.filter(stays))
        for (const utterance of [0, 1, 2, 3]) {
          const of = (list: StreamEvent[]) =>
            list.filter((event) => event.type === 'partial' && event.utterance === utterance)
          expect(of(read)).toEqual(of(events).slice(-1))
        }
      }),
    )
  })
})
