import { describe, expect, it } from 'vitest'
import { readLimits } from '../../../lib/backend/limits.ts'

describe('readLimits', () => {
  it.each([[{}], [{ WHISPER_HIP_TRIAL_SECONDS: '' }], [{ WHISPER_HIP_TRIAL_SECONDS: ' ' }]])(
    'has defaults: %j',
    (environment) => {
      expect(readLimits(environment)).toEqual({ trialSeconds: 60, notes: [] })
    },
  )

  it.each([
    ['1', 1],
    ['86400', 86_400],
    [' 90 ', 90],
    ['2.5', 2.5],
  ])('takes %j', (text, seconds) => {
    expect(readLimits({ WHISPER_HIP_TRIAL_SECONDS: text })).toEqual({ trialSeconds: seconds, notes: [] })
  })

  it.each(['0', '0.5', '-1', '86401', 'abc', '60s', '1e3', '0x10', 'NaN', 'Infinity', '1,5'])(
    'does not use %j, and says so',
    (text) => {
      for (const name of ['WHISPER_HIP_TRIAL_SECONDS', 'WHISPER_HIP_WATCH_SECONDS']) {
        const { trialSeconds, notes } = readLimits({ [name]: text })
        expect(trialSeconds).toBe(60)
        expect(notes).toMatchObject([{ message: expect.stringContaining(`${name}=${JSON.stringify(text)}`) }])
      }
    },
  )
})
