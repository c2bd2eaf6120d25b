import { describe, expect, it } from 'vitest'
import { joinWarnings, shiftWarnings, type Warning, Warnings } from '../../lib/warnings.ts'

const damaged = (start: number): Warning => ({
  code: 'AUDIO_DAMAGED',
  message: `From ${start} s on`,
  start,
  end: start + 1,
})

describe('warnings', () => {
  it('are said once, in order', () => {
    expect(joinWarnings([damaged(2), damaged(1)], undefined, [damaged(2)])).toEqual([damaged(2), damaged(1)])
  })

  it('have no times where they have none', () => {
    const whole = joinWarnings([
      { code: 'AUDIO_TRUNCATED', message: 'It is cut off', start: undefined } as never,
    ])
    expect(whole).toStrictEqual([{ code: 'AUDIO_TRUNCATED', message: 'It is cut off' }])
  })

  it('are no more than anybody reads, and count the rest', () => {
    const all = joinWarnings(Array.from({ length: 150 }, (_, i) => damaged(i)))
    expect(all).toHaveLength(101)
    expect(all.at(-1)).toStrictEqual({ code: 'AUDIO_DAMAGED', message: '50 more warnings of this kind' })
  })

  it('are told as new once', () => {
    const warnings = new Warnings()
    expect([warnings.add(damaged(1)), warnings.add(damaged(1)), warnings.add(damaged(2))]).toEqual([
      true,
      false,
      true,
    ])
  })

  it('of a piece are moved to the time of the whole', () => {
    expect(shiftWarnings([damaged(1), { code: 'AUDIO_TRUNCATED', message: 'x', start: 0 }], 10)).toEqual([
      { ...damaged(1), start: 11, end: 12 },
      { code: 'AUDIO_TRUNCATED', message: 'x', start: 10 },
    ])
  })
})
