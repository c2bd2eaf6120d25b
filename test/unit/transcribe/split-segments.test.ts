import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NativeSegment } from '../../../lib/native.ts'
import { splitSegment } from '../../../lib/transcribe/split-segments.ts'

function segment(text: string, tokens: string[] = []): NativeSegment {
  return {
    start: 10,
    end: 20,
    text,
    temperature: 0.2,
    averageLogProbability: -0.3,
    compressionRatio: 1.5,
    noSpeechProbability: 0.1,
    language: 'en',
    tokens: tokens.map((token, id) => ({ id, text: token, probability: 0.5 })),
  }
}

const texts = (text: string, maxLength: number) =>
  splitSegment(segment(text), maxLength).map((part) => part.text)

describe('splitSegment', () => {
  it('leaves a short segment as it is', () => {
    const short = segment(' Hello there')
    expect(splitSegment(short, 11)).toEqual([short])
    expect(splitSegment(short, 11)[0]).toBe(short)
  })

  it('splits before white space, as late as it can', () => {
    expect(texts(' ask not what your country can do for you', 15)).toEqual([
      ' ask not what',
      ' your country',
      ' can do for you',
    ])
  })

  it('never cuts a word, and keeps punctuation with it', () => {
    expect(texts(' Donaudampfschifffahrtsgesellschaft, ja (nein)', 7)).toEqual([
      ' Donaudampfschifffahrtsgesellschaft,',
      ' ja',
      ' (nein)',
    ])
    expect(texts(" don't co-operate", 6)).toEqual([" don't", ' co-operate'])
  })

  it('splits between words in scripts without spaces, not before punctuation', () => {
    expect(texts('今天天气很好。', 4)).toEqual(['今天天气', '很好。'])
  })

  it('counts code points, not UTF-16 units', () => {
    expect(texts(' 😀😀😀 😀😀😀', 7)).toEqual([' 😀😀😀 😀😀😀'])
  })

  it('shares the time out by length of text and copies the figures', () => {
    const parts = splitSegment(segment(' aaaa bbbb'), 4)
    expect(parts.map(({ start, end }) => [start, end])).toEqual([
      [10, 15],
      [15, 20],
    ])
    expect(parts[1]).toMatchObject({ temperature: 0.2, averageLogProbability: -0.3, language: 'en' })
  })

  it('gives each token to the part in which it begins', () => {
    const parts = splitSegment(segment(' aaaa bbbb', [' aa', 'aa', ' bb', 'bb', '']), 4)
    expect(parts.map((part) => part.tokens.map((token) => token.text))).toEqual([
      [' aa', 'aa'],
      [' bb', 'bb', ''],
    ])
  })

  it('loses nothing and keeps the times in order, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 80 }),
        fc.integer({ min: 1, max: 20 }),
        (text, maxLength) => {
          const whole = segment(text, [...text])
          const parts = splitSegment(whole, maxLength)
          expect(parts.map((part) => part.text).join('')).toBe(text)
          expect(parts.flatMap((part) => part.tokens)).toEqual(whole.tokens)
          expect(parts[0]?.start).toBe(10)
          expect(parts.at(-1)?.end).toBe(20)
          for (const [i, part] of parts.entries()) {
            expect(part.end).toBeGreaterThanOrEqual(part.start)
            if (i > 0) expect(part.start).toBe(parts[i - 1]?.end)
          }
        },
      ),
    )
  })
})
