import type { Keep } from './judge.ts'
import type { KeptOutcome } from './kept.ts'

const MINUTE = 60_000
/**
 * How long an answer that is kept for a while holds, after the first such trial in succession, the second, … One more after these
 * holds until the machine starts again: a GPU that hangs can take the machine along.
 */
const PAUSES = [5 * MINUTE, 30 * MINUTE, 6 * 60 * MINUTE]

/** What is true now. */
export interface Now {
  /** Milliseconds since 1970. */
  time: number
  /** Whether the machine is busy. */
  busy(): boolean
  /** The limit of a trial as a whole. */
  trialSeconds: number
}

/** Whether an answer that was kept is still the answer. */
export function stillHolds(kept: KeptOutcome, keep: Keep, now: Now): boolean {
  if (keep !== 'for a while') return keep === 'until something changes'
  const { exit } = kept
  if (exit.kind === 'timeout') {
    const limit = exit.of === 'trial' ? now.trialSeconds : now.trialSeconds / 2
    if (limit > exit.seconds) return false
    if (exit.busy && !now.busy()) return false
  }
  const left = untilAgain(kept, keep, now.time)
  return left === null || left > 0
}

/** Milliseconds until the GPU is tried again by itself, or null when it is not. */
export function untilAgain({ at, attempts }: KeptOutcome, keep: Keep, time: number): number | null {
  if (keep !== 'for a while') return null
  const pause = PAUSES[attempts - 1]
  if (pause === undefined) return null
  // A clock that was put back says nothing of how long ago it was.
  return time < at ? 0 : Math.max(at + pause - time, 0)
}
