import { expect, it } from 'vitest'
import { normalizeWord } from '../../../lib/stream/normalize.ts'

it.each([
  [' Hello,', 'hello'],
  [' “hello”', 'hello'],
  ["don't", 'dont'],
  [' DON’T!', 'dont'],
  [' e-mail', 'email'],
  [' 10%', '10'],
  [' Ärger', 'ärger'],
  [' A\u0308rger', 'ärger'],
  ['ＡＢＣ', 'abc'],
  ['日本。', '日本'],
  ['नमस्ते', 'नमस्ते'],
  [' …', '...'],
  [' -', '-'],
  ['  ', ''],
  ['', ''],
])('%j is compared as %j', (text, expected) => {
  expect(normalizeWord(text)).toBe(expected.normalize('NFKC'))
})

it('words that differ stay different', () => {
  const words = ['ask', 'asks', 'what', '1', '11', '!', '?', '.', '♪', 'ä', 'a']
  expect(new Set(words.map(normalizeWord)).size).toBe(words.length)
})
