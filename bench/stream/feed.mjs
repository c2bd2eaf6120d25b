// @ts-check
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * @typedef {import('../../lib/index.ts').StreamEvent} StreamEvent
 * @typedef {{ time: number, event: StreamEvent }} Timed seconds of the virtual clock
 */

const CHUNK_SECONDS = 0.1
const LOOK_EVERY_MS = 2

/**
 * A clock that audio arrives by: it runs at its real pace while something is decoded, and jumps to the next chunk while nothing is. So what is
 * measured is what a microphone would give, without the waiting.
 */
class VirtualClock {
  #seconds = 0
  #mark = performance.now()
  #busy = false

  /** @param {boolean} busy whether time passes */
  tick(busy) {
    const now = performance.now()
    if (this.#busy) this.#seconds += (now - this.#mark) / 1000
    this.#mark = now
    this.#busy = busy
    return this.#seconds
  }

  /** @param {number} seconds */
  jump(seconds) {
    this.#seconds = Math.max(this.#seconds, seconds)
  }
}

/**
 * Feeds 16 kHz mono 16-bit samples to a stream, 100 ms at a time, and collects what it says and when.
 * @param {import('../../lib/index.ts').LiveStream} live
 * @param {Buffer} pcm
 * @returns {Promise<Timed[]>}
 */
export async function feed(live, pcm) {
  const clock = new VirtualClock()
  /** @type {Timed[]} */
  const events = []
  live.on('data', (event) => events.push({ time: clock.tick(live.decoding), event }))
  const done = new Promise((resolve, reject) => live.once('end', resolve).once('error', reject))
  const bytes = CHUNK_SECONDS * 32_000
  for (let at = 0; at < pcm.length; at += bytes) {
    const due = Math.min(at + bytes, pcm.length) / 32_000
    while (live.decoding && clock.tick(true) < due) await sleep(LOOK_EVERY_MS)
    clock.tick(false)
    clock.jump(due)
    const taken = live.write(pcm.subarray(at, at + bytes))
    clock.tick(live.decoding)
    await new Promise((resolve) => (taken ? setImmediate(resolve) : live.once('drain', resolve)))
  }
  live.end()
  await done
  return events
}
