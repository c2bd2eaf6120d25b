import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { standardVocabulary } from '../../../lib/model/formats/standard-vocabulary.ts'
import { TextTokenizer } from '../../../lib/model/text-tokenizer.ts'
import { Pacer } from '../../../lib/pacer.ts'

interface Reference {
  text: string
  multilingual: number[]
  gpt2: number[]
}

const references: Reference[] = JSON.parse(
  readFileSync(new URL('../../fixtures/tokenizer-reference.json', import.meta.url), 'utf8'),
)

const vocabularyOf = (size: number) => standardVocabulary(size, 'test', new Pacer()).read(size)
const tokenizerOf = async (size: number) => new TextTokenizer(await vocabularyOf(size))

describe('the tokens of a text are those of tiktoken', () => {
  it.each([
    ['multilingual', 51_865],
    ['gpt2', 51_864],
  ] as const)('with the %s vocabulary', async (name, size) => {
    const tokenizer = await tokenizerOf(size)
    const ours = references.map(({ text }) => ({ text, tokens: tokenizer.encode(text) }))
    expect(ours).toEqual(references.map(({ text, [name]: tokens }) => ({ text, tokens })))
  })
})

it('writes an accented word as one token', async () => {
  const tokenizer = await tokenizerOf(51_865)
  expect(tokenizer.encode(' natürlich')).toHaveLength(1)
})

it('writes half of a character pair as the replacement character', async () => {
  const tokenizer = await tokenizerOf(51_865)
  expect(tokenizer.encode('a\ud83d b')).toEqual(tokenizer.encode('a\ufffd b'))
})

it('takes milliseconds for the longest prompt, also of one word', async () => {
  const tokenizer = await tokenizerOf(51_865)
  tokenizer.encode('warm')
  for (const text of ['ab'.repeat(5000), '中'.repeat(10_000), 'x'.repeat(10_000), ' '.repeat(10_000)]) {
    const start = performance.now()
    tokenizer.encode(text)
    expect(performance.now() - start).toBeLessThan(200)
  }
})

it("uses the ranks of a vocabulary that is not OpenAI's, and leaves out bytes that it does not have", () => {
  const texts = [' ', 'a', 'b', 'c', 'bc', 'ab', 'abc', 'ab']
  const bytes = Buffer.from(texts.join(''))
  const tokenizer = new TextTokenizer({ bytes, lengths: Uint32Array.from(texts, (text) => text.length) })
  // "bc" has the better rank, although "ab" comes first in the text.
  expect(tokenizer.encode('abcb')).toEqual([6, 2])
  expect(tokenizer.encode('abc')).toEqual([6])
  expect(tokenizer.encode('ab?ab')).toEqual([5, 5])
})
