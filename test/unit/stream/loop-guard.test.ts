import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LoopMemory, lengthBeforeLoop } from '../../../lib/stream/loop-guard.ts'

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

describe('a text that the model is not sure of', () => {
  const left = (text: string) => {
    const words = text.split(' ')
    return words.slice(0, lengthBeforeLoop(words, -0.77)).join(' ')
  }

  it.each([
    ["what's up what's up what's up", "what's up"],
    ['thank you thank you thank you thank', 'thank you'],
    ['so no no no no', 'so no'],
    ['see you later see you later see you later', 'see you later'],
  ])('is believed less: %s', (text, expected) => {
    expect(left(text)).toBe(expected)
  })

  it.each(['no no no', "what's up what's up", 'bye bye bye', 'thank you thank you thank you very much'])(
    'is not taken for a loop for that alone: %s',
    (text) => {
      expect(left(text)).toBe(text)
    },
  )
})

describe('utterances in a row', () => {
  const words = (text: string) => text.split(' ').map((word) => ({ text: ` ${word}` }))
  const UNSURE = -0.77
  const SURE = -0.3

  /** What is left of the last utterance. */
  const last = (...utterances: [text: string, averageLogProbability: number][]) => {
    const memory = new LoopMemory()
    let left: { text: string }[] = []
    for (const [text, averageLogProbability] of utterances) {
      left = memory.withoutLoop([], words(text), averageLogProbability)
      memory.remember(left, averageLogProbability)
    }
    return left.map(({ text }) => text).join('')
  }
  const again = (text: string, times: number, averageLogProbability: number) =>
    Array.from({ length: times }, (): [string, number] => [text, averageLogProbability])

  it.each([
    ["What's up?", 3],
    ["What's up?", 7],
    ['Thanks for watching!', 3],
    ['You', 4],
    ['A b c d e f g h', 3],
  ])('%s, said %d times without being sure, is dropped', (text, times) => {
    expect(last(...again(text, times - 1, UNSURE))).toBe(times > 4 ? '' : ` ${text}`)
    expect(last(...again(text, times, UNSURE))).toBe('')
  })

  it('one phrase of two utterances and two of the next are three', () => {
    expect(last(["What's up?", UNSURE], ["What's up? What's up?", UNSURE])).toBe('')
  })

  it.each([
    ['what is surely said', again('No.', 9, SURE)],
    ['what is sure at last', [...again("What's up?", 2, UNSURE), ...again("What's up?", 1, SURE)]],
    [
      'what was sure meanwhile',
      [...again("What's up?", 2, UNSURE), ...again('Fine.', 1, SURE), ...again("What's up?", 1, UNSURE)],
    ],
    [
      'what another utterance came between',
      [...again("What's up?", 2, UNSURE), ...again('Fine.', 1, UNSURE), ...again("What's up?", 1, UNSURE)],
    ],
    ['a word said three times', again('No.', 3, UNSURE)],
  ] as [string, [string, number][]][])('%s stays', (_, utterances) => {
    expect(last(...utterances)).toBe(` ${utterances.at(-1)?.[0]}`)
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
