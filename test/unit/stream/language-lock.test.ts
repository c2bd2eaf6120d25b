import { describe, expect, it } from 'vitest'
import { LanguageLock } from '../../../lib/stream/language-lock.ts'

describe('LanguageLock', () => {
  it('keeps the language that was given', () => {
    const lock = new LanguageLock('de')
    lock.hear('en', 1, 100)
    expect(lock.current).toBe('de')
  })

  it('takes one that is sure', () => {
    const lock = new LanguageLock('')
    expect(lock.current).toBe('')
    lock.hear('en', 0.8, 2)
    expect(lock.current).toBe('en')
    lock.hear('fr', 1, 100)
    expect(lock.current).toBe('en')
  })

  it.each([
    ['too little speech', 0.99, 1.9],
    ['too much doubt', 0.79, 14.9],
  ])('waits with %s', (_, probability, seconds) => {
    const lock = new LanguageLock('')
    lock.hear('cy', probability, seconds)
    expect(lock.current).toBe('')
  })

  it('takes the most probable one in the end, by the length of its speech', () => {
    const lock = new LanguageLock('')
    lock.hear('cy', 0.7, 4)
    lock.hear('en', 0.6, 5)
    lock.hear('nn', 0.3, 5)
    expect(lock.current).toBe('')
    lock.hear('cy', 0.1, 1)
    expect(lock.current).toBe('en')
  })
})
