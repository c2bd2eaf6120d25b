import { describe, expect, it } from 'vitest'
import { characterErrorRate, wordErrorRate, wordsOf } from '../../fixtures/wer.ts'

describe('wordsOf', () => {
  it('ignores case, punctuation, annotations, digits and hesitation', () => {
    expect(wordsOf("Mr. Smith's [cough] 5, uh, FIVE (laughs) alright!")).toEqual([
      'mister',
      'smiths',
      'five',
      'five',
      'all',
      'right',
    ])
  })

  it('keeps letters of every script together with their marks', () => {
    expect(wordsOf('Håll grannträdgården, हैं 真っ昼間')).toEqual(['håll', 'grannträdgården', 'हैं', '真っ昼間'])
  })
})

describe('wordErrorRate', () => {
  it.each([
    ['the cat sat', 'The cat sat.', 0],
    ['the cat sat', 'the dog sat', 1 / 3],
    ['the cat sat', 'the sat', 1 / 3],
    ['the cat sat', 'so the cat sat down', 2 / 3],
    ['the cat sat', '', 1],
    ['one two', 'three four five', 3 / 2],
  ])('of "%s" and "%s" is %f', (reference, transcript, rate) => {
    expect(wordErrorRate(reference, transcript)).toBeCloseTo(rate)
  })

  it('needs words in the reference', () => {
    expect(() => wordErrorRate(' … ', 'word')).toThrow(RangeError)
  })
})

describe('characterErrorRate', () => {
  it('counts characters, not code units', () => {
    expect(characterErrorRate('真っ昼間', '真っ昼')).toBe(1 / 4)
    expect(characterErrorRate('𠮷野', '吉野')).toBe(1 / 2)
  })
})
