import { join } from 'node:path'
import { WhisperHipError } from '../../errors.ts'
import type { Pacer } from '../../pacer.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import { JsonReader } from '../json-reader.ts'
import type { Vocabulary } from '../plan.ts'
import { exists, openFileSource } from '../sources.ts'
import { decodeByteLevel, endOfText, specialTokens, VocabularyPacker } from '../tokenizer.ts'
import { RawTokens } from './raw-tokens.ts'

/** Largest vocabulary file that is read, in bytes; real ones have up to 4 million. */
const MAX_FILE = 8 << 20

/** The files that CTranslate2 folders carry, best first, and how each is read into `tokens`. */
const READERS: readonly [
  file: string,
  read: (text: Uint8Array, tokens: RawTokens, path: string, pacer: Pacer) => Promise<void>,
][] = [
  ['vocabulary.json', readJsonList],
  ['vocabulary.txt', readLines],
  ['tokenizer.json', readTokenizer],
]

/**
 * Reads the vocabulary that lies beside a CTranslate2 model, and checks that its special tokens have the ids that
 * whisper.cpp gives them.
 *
 * @throws WhisperHipError `ERR_MODEL_NOT_FOUND` when there is none, `ERR_MODEL_CORRUPT`, or `ERR_MODEL_UNSUPPORTED` for other ids
 */
export async function readCompanionVocabulary(
  folder: string,
  size: number,
  pacer: Pacer,
): Promise<Vocabulary> {
  for (const [file, read] of READERS) {
    const path = join(folder, file)
    if (!(await exists(path))) continue
    const text = await readWhole(path)
    const tokens = new RawTokens(path, text.byteLength, size)
    await read(text, tokens, path, pacer)
    requireSpecialTokens(tokens, size, path)
    return await packTextTokens(tokens, size, path, pacer)
  }
  const names = READERS.map(([file]) => file).join(', ')
  throw new WhisperHipError(
    'ERR_MODEL_NOT_FOUND',
    `The vocabulary of the model is missing: '${folder}' has none of ${names}`,
    {
      advice: ['Copy the file from where the model was published'],
    },
  )
}

async function readWhole(path: string): Promise<Uint8Array> {
  const source = await openFileSource(path)
  try {
    if (source.size > MAX_FILE)
      throw corrupt(path, `it has ${source.size} bytes, where ${MAX_FILE} are possible`)
    return await source.read(0, source.size)
  } finally {
    await source.close()
  }
}

/** An array of all tokens. */
async function readJsonList(text: Uint8Array, tokens: RawTokens, path: string, pacer: Pacer): Promise<void> {
  const json = new JsonReader(text, path)
  json.open('[')
  let id = 0
  while (json.more()) {
    tokens.put(id++, json.string())
    if ((id & 0x3f) === 0 && pacer.due) await pacer.turn()
  }
  json.end()
  requireAll(id, tokens, path)
}

/** One token in a line. */
async function readLines(text: Uint8Array, tokens: RawTokens, path: string, pacer: Pacer): Promise<void> {
  let id = 0
  for (let start = 0; start < text.byteLength; ) {
    const newline = text.indexOf(0x0a, start)
    const end = newline < 0 ? text.byteLength : newline
    tokens.put(id++, text.subarray(start, end))
    start = end + 1
    if ((id & 0x3f) === 0 && pacer.due) await pacer.turn()
  }
  requireAll(id, tokens, path)
}

function requireAll(count: number, tokens: RawTokens, path: string): void {
  if (count !== tokens.count)
    throw corrupt(path, `it has ${count} tokens, where the model has ${tokens.count}`)
}

/** Hugging Face tokenizers: `model.vocab` has the text tokens by name, `added_tokens` the special ones. */
async function readTokenizer(text: Uint8Array, tokens: RawTokens, path: string, pacer: Pacer): Promise<void> {
  const json = new JsonReader(text, path)
  json.open('{')
  while (json.more()) {
    const key = json.key()
    if (key === 'model') await readTokenizerModel(json, tokens, pacer)
    else if (key === 'added_tokens') await readAddedTokens(json, tokens, path, pacer)
    else await json.skip(pacer)
  }
  json.end()
}

async function readTokenizerModel(json: JsonReader, tokens: RawTokens, pacer: Pacer): Promise<void> {
  json.open('{')
  while (json.more()) {
    if (json.key() !== 'vocab') {
      await json.skip(pacer)
      continue
    }
    json.open('{')
    for (let count = 1; json.more(); count++) {
      const token = json.keyBytes()
      tokens.put(json.integer(), token)
      if ((count & 0x3f) === 0 && pacer.due) await pacer.turn()
    }
  }
}

async function readAddedTokens(
  json: JsonReader,
  tokens: RawTokens,
  path: string,
  pacer: Pacer,
): Promise<void> {
  json.open('[')
  while (json.more()) {
    let id: number | undefined
    let content: Uint8Array | undefined
    json.open('{')
    while (json.more()) {
      const key = json.key()
      if (key === 'id') id = json.integer()
      else if (key === 'content') content = json.string()
      else await json.skip(pacer)
    }
    if (id === undefined || content === undefined)
      throw corrupt(path, 'one of its added_tokens has no id or no content')
    tokens.put(id, content)
  }
}

function requireSpecialTokens(tokens: RawTokens, size: number, path: string): void {
  const expected = specialTokens(size)
  const firstTimeStamp = expected.at(-1)?.id
  for (const { id, names } of expected) {
    const token = tokens.get(id)
    // Tokenizers of older checkpoints do not list the time stamps.
    if (token === undefined && id === firstTimeStamp) continue
    if (token === undefined) throw corrupt(path, `token ${id} (${names[0]}) is missing`)
    const name = Buffer.from(token).toString('utf8')
    if (!names.includes(name)) {
      throw unsupported(path, `token ${id} is ${quote(name)}, where whisper.cpp has ${names[0]}`)
    }
  }
}

async function packTextTokens(
  tokens: RawTokens,
  size: number,
  path: string,
  pacer: Pacer,
): Promise<Vocabulary> {
  const count = endOfText(size)
  const packer = new VocabularyPacker(path, count)
  for (let id = 0; id < count; id++) {
    const token = tokens.get(id)
    if (token === undefined) throw corrupt(path, `token ${id} is missing`)
    const bytes = decodeByteLevel(token)
    if (!bytes)
      throw corrupt(
        path,
        `token ${id}, ${quote(Buffer.from(token).toString('utf8'))}, is not in byte-level form`,
      )
    packer.add(bytes)
    if ((id & 0x3f) === 0 && pacer.due) await pacer.turn()
  }
  return packer.finish()
}
