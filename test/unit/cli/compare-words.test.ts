import { expect, it } from 'vitest'
import { compareTexts } from '../../../lib/cli/doctor/compare-words.ts'

const twenty =
  'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'

it('calls equal texts the same, but for white space around them', () => {
  expect(compareTexts(' And so, my fellow Americans.', 'And so, my fellow Americans. ')).toEqual({
    verdict: 'same',
    wordErrorRate: 0,
    differences: [],
  })
})

it.each([
  ['case and punctuation', twenty, twenty.replace('two', 'Two,')],
  ['one word in twenty', twenty.replace('seven ', 'eleven '), twenty],
  ['a missing word in twenty', twenty.replace('seven ', ''), twenty],
  ['an added word to twenty', `${twenty} more`, twenty],
])('bears %s', (_, gpu, cpu) => {
  expect(compareTexts(gpu, cpu).verdict).toBe('nearly the same')
})

it.each([
  ['two words in twenty', twenty.replace('seven ', 'eleven ').replace('two', 'too'), twenty],
  ['nothing where there is a text', '', 'Hello.'],
  ['a text where there is nothing', 'Hello.', ''],
  ['only punctuation', '!!!!!!!!', 'Hello there, my friend.'],
  ['the same word again and again', 'one '.repeat(40), twenty],
])('does not bear %s', (_, gpu, cpu) => {
  expect(compareTexts(gpu, cpu).verdict).toBe('different')
})

it('shows neighbouring words that differ as one difference', () => {
  expect(
    compareTexts('ask not for your country can do now', 'Ask not what your country can do for you'),
  ).toMatchObject({
    differences: [
      { gpu: 'for', cpu: 'what' },
      { gpu: 'now', cpu: 'for you' },
    ],
    wordErrorRate: 3 / 9,
  })
  expect(compareTexts('a b d', 'a b c d').differences).toEqual([{ gpu: '', cpu: 'c' }])
})

it('counts the words of languages without spaces', () => {
  const { wordErrorRate } = compareTexts('今日は天気がいいですね明日も', '今日は天気がいいですね明後日も')
  expect(wordErrorRate).toBeGreaterThan(0)
  expect(wordErrorRate).toBeLessThan(0.5)
})
