// @ts-check
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * @typedef {import('../../lib/index.ts').StreamEvent} StreamEvent
 * @typedef {{ time: number, event: StreamEvent }} Timed seconds of the virtual clock
 */

const CHUNK_SECONDS = 0.1
const LOOK_EVERY_MS = 2
const PROCESSORS = cpus().length

/**
 * A clock that audio arrives by: it runs at its real pace while something is decoded, and jumps to the next chunk while nothing is. So what is
 * measured is what a microphone would give, without the waiting.
 */
class VirtualClock {
  #seconds = 0
  #now
  #mark
  #busy = false

  /** @param {() => number} now seconds */
  constructor(now) {
    this.#now = now
    this.#mark = now()
  }

  /** @param {boolean} busy whether time passes */
  tick(busy) {
    const now = this.#now()
    if (this.#busy) this.#seconds += now - this.#mark
    this.#mark = now
    this.#busy = busy
    return this.#seconds
  }

  /** @param {number} seconds */
  jump(seconds) {
    this.#seconds = Math.max(this.#seconds, seconds)
  }
}

const wallTime = () => performance.now() / 1000

/** Processor time shared by all processors: what a CPU would take that had nothing else to do. */
function processorTime() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6 / PROCESSORS
}

/** The clock that computing is charged by, in seconds. @param {string} charge `processor`, else by the wall */
export const clockFor = (charge) => (charge === 'processor' ? processorTime : wallTime)

/**
 * Feeds 16 kHz mono 16-bit samples to a stream, 100 ms at a time, and tells what it says and when.
 * @param {import('../../lib/index.ts').LiveStream} live
 * @param {Iterable<Buffer>} pieces of any length
 * @param {(heard: Timed) => void} onEvent
 * @param {() => number} now see {@link clockFor}
 */
export async function feed(live, pieces, onEvent, now) {
  const clock = new VirtualClock(now)
  live.on('data', (event) => onEvent({ time: clock.tick(live.decoding), event }))
  const done = new Promise((resolve, reject) => live.once('end', resolve).once('error', reject))
  let due = 0
  for (const chunk of chunksOf(pieces)) {
    due += chunk.length / 32_000
    while (live.decoding && clock.tick(true) < due) await sleep(LOOK_EVERY_MS)
    clock.tick(false)
    clock.jump(due)
    const taken = live.write(chunk)
    clock.tick(live.decoding)
    await new Promise((resolve) => (taken ? setImmediate(resolve) : live.once('drain', resolve)))
  }
  live.end()
  await new Promise((resolve) => setImmediate(resolve))
  clock.tick(live.decoding)
  await done
}

/** 100 ms each. @param {Iterable<Buffer>} pieces */
export function* chunksOf(pieces) {
  const bytes = CHUNK_SECONDS * 32_000
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += bytes) yield piece.subarray(at, at + bytes)
  }
}
