import { describe, expect, it } from 'vitest'
import { stillHolds, untilAgain } from '../../../../lib/backend/probe/again.ts'
import type { KeptOutcome } from '../../../../lib/backend/probe/kept.ts'

const MINUTE = 60_000
const AT = 1_000_000_000
const kept = (more: Partial<KeptOutcome> = {}): KeptOutcome => ({
  stages: [{ name: 'add', milliseconds: 30_000, ok: false }],
  devices: [],
  exit: { kind: 'timeout', seconds: 30, of: 'stage', busy: false },
  stderr: '',
  at: AT,
  attempts: 1,
  ...more,
})
const now = (more: { time?: number; busy?: boolean; trialSeconds?: number } = {}) => ({
  time: more.time ?? AT + 1,
  busy: () => more.busy ?? false,
  trialSeconds: more.trialSeconds ?? 60,
})

describe('an answer that is kept for a while', () => {
  it.each([
    [1, 5],
    [2, 30],
    [3, 360],
  ])('of trial %i in succession holds for %i minutes', (attempts, minutes) => {
    const answer = kept({ attempts })
    const end = AT + minutes * MINUTE
    expect(stillHolds(answer, 'for a while', now({ time: end - 1 }))).toBe(true)
    expect(stillHolds(answer, 'for a while', now({ time: end }))).toBe(false)
    expect(untilAgain(answer, 'for a while', AT)).toBe(minutes * MINUTE)
  })

  it('holds until the machine starts again when time after time the GPU did not answer', () => {
    expect(stillHolds(kept({ attempts: 4 }), 'for a while', now({ time: AT * 2 }))).toBe(true)
    expect(untilAgain(kept({ attempts: 4 }), 'for a while', AT)).toBeNull()
  })

  it('does not hold when the machine was busy and is quiet', () => {
    const answer = kept({ exit: { kind: 'timeout', seconds: 30, of: 'stage', busy: true } })
    expect(stillHolds(answer, 'for a while', now({ busy: true }))).toBe(true)
    expect(stillHolds(answer, 'for a while', now())).toBe(false)
    expect(stillHolds({ ...answer, attempts: 4 }, 'for a while', now())).toBe(false)
  })

  it.each([
    ['stage', 30],
    ['trial', 60],
  ] as const)('does not hold when the limit of a %s is larger than it was', (of, seconds) => {
    const answer = kept({ exit: { kind: 'timeout', seconds, of } })
    expect(stillHolds(answer, 'for a while', now())).toBe(true)
    expect(stillHolds(answer, 'for a while', now({ trialSeconds: 20 }))).toBe(true)
    expect(stillHolds(answer, 'for a while', now({ trialSeconds: 61 }))).toBe(false)
  })

  it('does not hold when the clock was put back', () => {
    expect(stillHolds(kept(), 'for a while', now({ time: AT - 1 }))).toBe(false)
  })
})

describe('an answer of another kind', () => {
  it('holds for ever, or not at all', () => {
    const late = now({ time: AT * 2, trialSeconds: 1000 })
    expect(stillHolds(kept(), 'until something changes', late)).toBe(true)
    expect(stillHolds(kept(), 'not', now())).toBe(false)
    expect(untilAgain(kept(), 'until something changes', AT)).toBeNull()
  })
})
