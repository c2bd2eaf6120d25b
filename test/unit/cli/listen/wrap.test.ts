import * as fc from 'fast-check'
import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { wrap } from '../../../../lib/cli/listen/wrap.ts'

const linesOf = (text: string, columns: number) =>
  wrap(text, columns).map(({ start, end }) => text.slice(start, end))

describe('lines', () => {
  it.each<[string, number, string[]]>([
    ['', 10, []],
    ['   ', 10, []],
    [' one two three ', 8, ['one two', 'three']],
    ['exactly ten', 11, ['exactly ten']],
    ['exactly ten', 10, ['exactly', 'ten']],
    ['abcdefghij kl', 4, ['abcd', 'efgh', 'ij', 'kl']],
    ['한국어 문장', 7, ['한국어', '문장']],
    ['cafe\u0301 au lait', 7, ['cafe\u0301 au', 'lait']],
    ['👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧', 4, ['👩‍👩‍👧👩‍👩‍👧', '👩‍👩‍👧']],
    ['日本', 1, ['日', '本']],
  ])('%j in %d columns', (text, columns, lines) => {
    expect(linesOf(text, columns)).toEqual(lines)
  })

  it('break between words where there are no spaces', () => {
    const lines = linesOf('まことに申し訳ございません', 10)
    expect(lines.length).toBeGreaterThan(2)
    expect(lines[0]).toBe('まことに')
    expect(lines.some((line) => line.includes('申し訳'))).toBe(true)
  })

  it('fit, and lose nothing but white space', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 2, max: 40 }), (any, columns) => {
        const text = any.replace(/[\p{Cc}\s]+/gu, ' ')
        const lines = linesOf(text, columns)
        expect(lines.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''))
        for (const line of lines) {
          const single = [...new Intl.Segmenter().segment(line)].length === 1
          expect(single || stringWidth(line) <= columns).toBe(true)
        }
      }),
    )
  })
})
