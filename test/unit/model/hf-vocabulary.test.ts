import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { huggingFaceVocabulary } from '../../../lib/model/formats/hf-vocabulary.ts'
import { Pacer } from '../../../lib/pacer.ts'
import { ct2Tokens } from '../../fixtures/ct2-builder.ts'
import { tokenizerFiles } from '../../fixtures/hf-files.ts'
import { tinyVocabulary } from '../../fixtures/tiny-model.ts'
import { failureOf, temporaryFolder } from './support.ts'

const root = temporaryFolder()
const tokens = ct2Tokens({ multilingual: true })
const files = tokenizerFiles(tokens)
let folders = 0

function folderOf(content: Partial<Record<keyof typeof files | 'tokenizer-tiny.json', string>>): string {
  const folder = join(root, `${folders++}`)
  mkdirSync(folder)
  for (const [file, text] of Object.entries(content)) writeFileSync(join(folder, file), text)
  return folder
}

const vocabularyOf = (folder: string | null, tokenizer?: string, stored = 51_865) =>
  huggingFaceVocabulary(folder, 'the model', stored, new Pacer(), tokenizer)
const withoutTimes = tokenizerFiles(tokens.slice(0, tokens.indexOf('<|0.00|>')))
const pick = <T extends keyof typeof files>(...names: T[]) =>
  Object.fromEntries(names.map((name) => [name, files[name]])) as Record<T, string>

describe('a vocabulary of Hugging Face', () => {
  it.each([
    ['vocab.json and added_tokens.json', pick('vocab.json', 'added_tokens.json')],
    ['tokenizer.json', pick('tokenizer.json')],
    ['vocab.json and tokenizer_config.json', pick('vocab.json', 'tokenizer_config.json')],
    ['files without time stamps', withoutTimes],
    ['all files', files],
  ])('is read from %s', async (_, content) => {
    const vocabulary = vocabularyOf(folderOf(content))
    expect(await vocabulary.originalSize()).toBe(51865)
    const { bytes, lengths } = await vocabulary.read(51865)
    expect(Buffer.compare(bytes, Buffer.concat(tinyVocabulary({ multilingual: true })))).toBe(0)
    expect(lengths.length).toBe(50257)
  })

  it('may have another name', async () => {
    const folder = folderOf({ 'tokenizer-tiny.json': files['tokenizer.json'] })
    expect(await vocabularyOf(folder, 'tokenizer-tiny.json').originalSize()).toBe(51865)
  })

  it.each([
    [51864, ct2Tokens()],
    [51865, tokens],
    [51866, tokens.toSpliced(tokens.indexOf('<|su|>') + 1, 0, '<|yue|>')],
    [51865, [...tokens, '<|mine|>', 'another']],
    [null, tokens.toSpliced(tokens.indexOf('<|su|>') + 1, 0, '<|tlh|>')],
  ])('tells that its original size is %s', async (size, list) => {
    const folder = folderOf({ 'tokenizer.json': tokenizerFiles(list)['tokenizer.json'] })
    expect(await vocabularyOf(folder).originalSize()).toBe(size)
  })
})

describe('is that of OpenAI', () => {
  it.each([
    ['without files', folderOf({})],
    ['without the text tokens', folderOf(pick('added_tokens.json', 'tokenizer_config.json'))],
    ['without a folder', null],
  ])('%s', async (_, folder) => {
    const vocabulary = vocabularyOf(folder)
    expect(await vocabulary.originalSize()).toBe(51_865)
    expect(vocabulary.note).toBeUndefined()
    expect((await vocabulary.read(51_865)).lengths).toHaveLength(50_257)
    expect(vocabulary.note).toContain("OpenAI's is used")
  })
})

describe('is refused', () => {
  it('with a half of it', async () => {
    const failure = await failureOf(vocabularyOf(folderOf(pick('vocab.json'))).read(51865))
    expect(failure).toMatchObject({ code: 'ERR_MODEL_NOT_FOUND', advice: [expect.any(String)] })
    expect(failure.message).toContain('has vocab.json, but neither added_tokens.json nor tokenizer.json')
  })

  it('where there is none for a model of another size than those of OpenAI', async () => {
    const vocabulary = vocabularyOf(folderOf({}), undefined, 51_900)
    expect(await failureOf(vocabulary.originalSize())).toMatchObject({ code: 'ERR_MODEL_UNSUPPORTED' })
  })

  it('with special tokens elsewhere', async () => {
    const failure = await failureOf(vocabularyOf(folderOf(files)).read(51864))
    expect(failure.code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(failure.message).toContain('token 50256 is "", where whisper.cpp has <|endoftext|>')
  })

  it.each([
    ['no JSON', { 'tokenizer.json': 'tokens' }],
    ['a number for a token', { 'tokenizer.json': '{"model":{"vocab":{"a":1.5}}}' }],
    ['an id beyond all', { ...files, 'added_tokens.json': '{"<|endoftext|>":65536}' }],
    ['two tokens with an id', { ...files, 'added_tokens.json': '{"other":50257}' }],
    ['a missing token', { 'tokenizer.json': files['tokenizer.json'].replace('"a":64', '"a":51000') }],
    [
      'an id that is no number',
      { 'vocab.json': '{}', 'tokenizer_config.json': '{"added_tokens_decoder":{"x":{}}}' },
    ],
    ['something after the end', { ...files, 'vocab.json': `${files['vocab.json']} {}` }],
    ['9 MiB', { 'tokenizer.json': ' '.repeat(9 << 20) }],
  ])('with %s', async (_, content) => {
    expect((await failureOf(vocabularyOf(folderOf(content)).read(51865))).code).toBe('ERR_MODEL_CORRUPT')
  })

  it('when it is a link out of the folder', async () => {
    const folder = folderOf({})
    symlinkSync(join(folderOf(files), 'tokenizer.json'), join(folder, 'tokenizer.json'))
    writeFileSync(join(folder, 'model.safetensors'), '')
    const failure = await failureOf(vocabularyOf(folder).read(51865))
    expect(failure.code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(failure.message).toContain('it is a link out of the folder of the model')
  })

  it('but not when it is a link in the cache of the hub', async () => {
    const snapshot = join(root, 'models--me--mine', 'snapshots', 'revision')
    const blobs = join(root, 'models--me--mine', 'blobs')
    for (const folder of [snapshot, blobs]) mkdirSync(folder, { recursive: true })
    writeFileSync(join(blobs, 'digest'), files['tokenizer.json'])
    symlinkSync('../../blobs/digest', join(snapshot, 'tokenizer.json'))
    expect(await vocabularyOf(snapshot).originalSize()).toBe(51865)
  })
})
