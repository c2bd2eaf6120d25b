import { describe, expect, it } from 'vitest'
import { Decoder } from '../../../lib/stream/decoder.ts'
import { FakeHost, settled, transcribeOptions } from './fakes.ts'

const never = new AbortController().signal
const question = { context: '', prefix: [], beamSize: 1 }

/** Streams of one model, each of which asks once; the length of the audio tells them apart. */
function streams() {
  const host = new FakeHost()
  const waiting: Promise<unknown>[] = []
  const ask = (seconds: number, due: number, final: boolean, signal = never) => {
    const decoder = new Decoder(host, transcribeOptions())
    const samples = new Float32Array(16_000 * seconds)
    const work = final
      ? decoder.transcribe(samples, { final, due }, signal)
      : decoder.guess(samples, question, { final, due }, signal)
    work.catch(() => {})
    waiting.push(work)
    return work
  }
  const served = async () => {
    const order: number[] = []
    for (;;) {
      await settled()
      const call = host.running()
      if (call === undefined) return order
      expect(host.calls.filter((other) => !other.done)).toHaveLength(1)
      order.push(call.seconds)
      call.answer('')
    }
  }
  return { host, ask, served }
}

describe('the streams of a model', () => {
  it('are served finals first, then what has waited longest', async () => {
    const { ask, served } = streams()
    ask(1, 0, false)
    ask(2, 40, false)
    ask(3, 50, true)
    ask(4, 20, false)
    ask(5, 30, true)
    ask(6, 1e9, true)
    expect(await served()).toEqual([1, 5, 3, 6, 4, 2])
  })

  it('are served in order where all are equally urgent', async () => {
    const { ask, served } = streams()
    for (const seconds of [1, 2, 3, 4, 5]) ask(seconds, 7, false)
    expect(await served()).toEqual([1, 2, 3, 4, 5])
  })

  it('each get their turn, though one asks again and again', async () => {
    const { host, ask } = streams()
    let now = 0
    // Two ask again as soon as they were served; the third asks once, in the middle.
    const greedy = (seconds: number): void => {
      ask(seconds, now, false).then(() => greedy(seconds))
    }
    greedy(1)
    greedy(2)
    const order: number[] = []
    for (let round = 0; round < 12; round++) {
      if (round === 5) ask(3, now, false)
      await settled()
      const call = host.running()
      order.push(call?.seconds ?? 0)
      now++
      call?.answer('')
    }
    expect(order.slice(0, 5)).toEqual([1, 2, 1, 2, 1])
    expect(order.slice(5, 8)).toContain(3)
    expect(order.filter((seconds) => seconds === 1).length).toBeGreaterThanOrEqual(5)
    expect(order.filter((seconds) => seconds === 2).length).toBeGreaterThanOrEqual(5)
  })

  it('do not wait for one that was aborted', async () => {
    const { host, ask, served } = streams()
    const running = new AbortController()
    const queued = new AbortController()
    const reason = new Error('gone')
    const first = ask(1, 0, false, running.signal)
    const second = ask(2, 1, false, queued.signal)
    ask(3, 2, false)
    await settled()
    queued.abort(reason)
    await expect(second).rejects.toBe(reason)
    running.abort(reason)
    expect(host.calls[0]?.cancelled).toBe(true)
    await expect(first).rejects.toBe(reason)
    expect(await served()).toEqual([3])
  })
})
