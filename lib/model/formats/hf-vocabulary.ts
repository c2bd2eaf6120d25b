import { WhisperHipError } from '../../errors.ts'
import type { Pacer } from '../../pacer.ts'
import type { VocabularySource } from '../checkpoint.ts'
import { companionPath, readCompanion } from '../companions.ts'
import { corrupt } from '../failures.ts'
import { JsonReader } from '../json-reader.ts'
import type { Vocabulary } from '../plan.ts'
import { checkedVocabulary, specialTokenFailure } from './checked-vocabulary.ts'
import { RawTokens } from './raw-tokens.ts'
import { STANDARD_NOTE, standardVocabulary } from './standard-vocabulary.ts'
import { readTokenizer, readTokensByName } from './tokenizer-json.ts'

/** Largest file of a tokenizer that is read, in bytes; real ones have up to 4 million. */
const MAX_FILE = 8 << 20
/** Most tokens that an enlarged vocabulary has. */
const MAX_TOKENS = 1 << 16
const SIZES = [51864, 51865, 51866] as const

interface Tokens {
  path: string
  tokens: RawTokens
}

/**
 * The vocabulary that lies beside a model of Hugging Face: `vocab.json` with `added_tokens.json`, else `tokenizer.json`, else `vocab.json` with
 * the special tokens of `tokenizer_config.json`. Nothing is read before it is asked for.
 *
 * @param folder `null` when the model came as bytes
 * @param name of the model, for messages
 * @param stored number of rows of the embedding: OpenAI's vocabulary of that size is used where there is none
 * @param tokenizer name of the file that is called `tokenizer.json` elsewhere
 */
export function huggingFaceVocabulary(
  folder: string | null,
  name: string,
  stored: number,
  pacer: Pacer,
  tokenizer = 'tokenizer.json',
): VocabularySource {
  const standard = standardVocabulary(stored, name, pacer)
  let tokens: Promise<Tokens | undefined> | undefined
  let note: string | undefined
  const load = () => {
    tokens ??= readTokens(folder, tokenizer, pacer)
    return tokens
  }
  return {
    get note() {
      return note
    },
    async originalSize(): Promise<number | null> {
      const found = await load()
      if (found === undefined) return await standard.originalSize()
      const { tokens, path } = found
      return SIZES.find((size) => specialTokenFailure(tokens, size, path) === undefined) ?? null
    },
    async read(size: number): Promise<Vocabulary> {
      const found = await load()
      if (found === undefined) {
        note = STANDARD_NOTE
        return await standard.read(size)
      }
      const { tokens, path } = found
      return await checkedVocabulary(tokens, size, path, pacer)
    },
  }
}

/** @returns `undefined` where there is no vocabulary at all; a part of one is an error */
async function readTokens(
  folder: string | null,
  tokenizer: string,
  pacer: Pacer,
): Promise<Tokens | undefined> {
  if (folder === null) return undefined
  const names = [
    ['vocab.json', 'added_tokens.json'],
    [tokenizer],
    ['vocab.json', 'tokenizer_config.json'],
  ] as const
  for (const files of names) {
    const found = await readFiles(folder, files, pacer)
    if (found !== undefined) return found
  }
  if ((await companionPath(folder, 'vocab.json')) === undefined) return undefined
  throw new WhisperHipError(
    'ERR_MODEL_NOT_FOUND',
    `A part of the model's vocabulary is missing: '${folder}' has vocab.json, but neither added_tokens.json nor ${tokenizer}`,
    {
      advice: [
        'Copy the files of the tokenizer from where the model, or the one that it was made of, was published',
      ],
    },
  )
}

/** `undefined` when one of the files is missing. */
async function readFiles(
  folder: string,
  files: readonly string[],
  pacer: Pacer,
): Promise<Tokens | undefined> {
  const companions = []
  for (const file of files) {
    const companion = await readCompanion(folder, file, MAX_FILE)
    if (companion === undefined) return undefined
    companions.push(companion)
  }
  const capacity = companions.reduce((sum, { bytes }) => sum + bytes.byteLength, 0)
  const path = companions[0]?.path ?? folder
  const tokens = new RawTokens(path, capacity, MAX_TOKENS)
  for (const [i, { path, bytes }] of companions.entries()) {
    const file = files[i]
    if (file === 'tokenizer_config.json') await readDecoder(bytes, tokens, path, pacer)
    else if (file === 'vocab.json' || file === 'added_tokens.json') {
      const json = new JsonReader(bytes, path)
      await readTokensByName(json, tokens, pacer)
      json.finish()
    } else await readTokenizer(bytes, tokens, path, pacer)
  }
  return { path, tokens }
}

/** `added_tokens_decoder` of a tokenizer_config.json: an object of ids and what is known of the tokens. */
async function readDecoder(text: Uint8Array, tokens: RawTokens, path: string, pacer: Pacer): Promise<void> {
  const json = new JsonReader(text, path)
  json.open('{')
  while (json.more()) {
    if (json.key() !== 'added_tokens_decoder') {
      await json.skip(pacer)
      continue
    }
    json.open('{')
    while (json.more()) {
      const id = json.key()
      if (!/^\d{1,9}$/.test(id)) throw corrupt(path, 'a key of its added_tokens_decoder is no id')
      json.open('{')
      while (json.more()) {
        if (json.key() === 'content') {
          json.findString()
          tokens.put(Number(id), json.source, json.start, json.end)
        } else await json.skip(pacer)
      }
      if (pacer.due) await pacer.turn()
    }
  }
  json.finish()
}
