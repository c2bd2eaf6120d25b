import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lengthOfSame } from '../../../lib/stream/align-words.ts'

/** What a new text has beyond an old one. */
const beyond = (old: string, text: string) => {
  const split = (words: string) => words.split(' ').filter((word) => word !== '')
  return split(text)
    .slice(lengthOfSame(split(old), split(text)))
    .join(' ')
}

describe('a new text goes on', () => {
  it.each([
    ['the same words', 'we went home', 'we went home and slept', 'and slept'],
    ['no old words', '', 'we went home', 'we went home'],
    ['no new words', 'we went home', '', ''],
    ['nothing more', 'we went home', 'we went home', ''],
    ['fewer words', 'we went home and slept', 'we went home', ''],
    ['another word', 'we went home', 'he went home and slept', 'and slept'],
    ['a word more', 'we went home', 'we all went home and slept', 'and slept'],
    ['a word less', 'so we went home', 'we went home and slept', 'and slept'],
    ['two words as one', 'we will go home now', 'well go home now and sleep', 'and sleep'],
    [
      'words said again later',
      'ask not what you can do',
      'ask not what you can do ask what you do',
      'ask what you do',
    ],
    ['another text', 'a b c', 'x y z u v', 'u v'],
  ])('after %s', (_, old, text, expected) => {
    expect(beyond(old, text)).toBe(expected)
  })
})

describe('whatever is said', () => {
  const words = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 })

  it('the same text with more after it gives the rest', () => {
    fc.assert(
      fc.property(words, words, (old, more) => {
        expect(lengthOfSame(old, [...old, ...more])).toBe(old.length)
      }),
    )
  })

  it('no other place has a smaller distance', () => {
    fc.assert(
      fc.property(words, words, (old, text) => {
        const length = lengthOfSame(old, text)
        const distances = text.map((_, end) => distance(old, text.slice(0, end)))
        distances.push(distance(old, text))
        expect(distances[length]).toBe(Math.min(...distances))
      }),
    )
  })
})

/** Levenshtein distance, as it is defined. */
function distance(from: readonly string[], to: readonly string[], known = new Map<string, number>()): number {
  if (from.length === 0 || to.length === 0) return from.length + to.length
  const key = `${from.length} ${to.length}`
  const before = known.get(key)
  if (before !== undefined) return before
  const [restOfFrom, restOfTo] = [from.slice(1), to.slice(1)]
  const found = Math.min(
    distance(restOfFrom, to, known) + 1,
    distance(from, restOfTo, known) + 1,
    distance(restOfFrom, restOfTo, known) + (from[0] === to[0] ? 0 : 1),
  )
  known.set(key, found)
  return found
}
