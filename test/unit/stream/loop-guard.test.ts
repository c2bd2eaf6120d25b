import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lengthBeforeLoop } from '../../../lib/stream/loop-guard.ts'

/** What is left of a text. */
const left = (text: string) => {
  const words = text.split(' ')
  return words.slice(0, lengthBeforeLoop(words)).join(' ')
}

describe('a loop', () => {
  it.each([
    ['thank you thank you thank you thank you', 'thank you'],
    ['so i said no no no no no', 'so i said no'],
    ['i see the big dog the big dog the big dog', 'i see the big dog'],
    ['a b c d e f g h a b c d e f g h a b c d e f g h', 'a b c d e f g h'],
    // The last repetition is not complete.
    ['x one two three one two three one two three one two', 'x one two three'],
  ])('%s', (text, expected) => {
    expect(left(text)).toBe(expected)
  })
})

describe('no loop', () => {
  it.each([
    'ask not what your country can do for you ask what you can do for your country',
    'no no no no',
    'bye bye bye bye see you',
    'very very very good',
    'that that is is that that is not is not',
    'the big dog the big dog',
    'again and again and again',
    'one two three one two three one two',
    'thank you thank you thank you thank you very much',
    '',
  ])('%s', (text) => {
    expect(left(text)).toBe(text)
  })

  it('of no words', () => {
    expect(lengthBeforeLoop([])).toBe(0)
  })
})

describe('whatever is said', () => {
  const word = fc.constantFrom('a', 'b', 'c')

  it('what is left ends in no loop, and is never more', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        const length = lengthBeforeLoop(words)
        expect(length).toBeLessThanOrEqual(words.length)
        expect(length).toBeGreaterThan(words.length > 0 ? 0 : -1)
      }),
    )
  })

  it('a phrase that is said six times in a row at the end is found, and one of it is left', () => {
    const phrase = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(phrase, fc.nat(3), (words, cut) => {
        const all = Array.from({ length: 6 }, () => words).flat()
        const text = all.slice(0, all.length - Math.min(cut, words.length - 1))
        expect(lengthBeforeLoop(['what', 'follows', ...text])).toBe(2 + words.length)
      }),
    )
  })

  it('different words are left alone', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string()), (words) => {
        expect(lengthBeforeLoop(words)).toBe(words.length)
      }),
    )
  })
})
