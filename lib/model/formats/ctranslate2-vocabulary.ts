import { join } from 'node:path'
import { WhisperHipError } from '../../errors.ts'
import type { Pacer } from '../../pacer.ts'
import { corrupt } from '../failures.ts'
import { JsonReader } from '../json-reader.ts'
import type { Vocabulary } from '../plan.ts'
import { exists, openFileSource } from '../sources.ts'
import { checkedVocabulary } from './checked-vocabulary.ts'
import { RawTokens } from './raw-tokens.ts'
import { readTokenizer } from './tokenizer-json.ts'

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
    return await checkedVocabulary(tokens, size, path, pacer)
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
    json.findString()
    tokens.put(id++, json.source, json.start, json.end)
    if ((id & 0xff) === 0 && pacer.due) await pacer.turn()
  }
  json.finish()
  requireAll(id, tokens, path)
}

/** One token in a line. */
async function readLines(text: Uint8Array, tokens: RawTokens, path: string, pacer: Pacer): Promise<void> {
  let id = 0
  for (let start = 0; start < text.byteLength; ) {
    const newline = text.indexOf(0x0a, start)
    const end = newline < 0 ? text.byteLength : newline
    tokens.put(id++, text, start, end)
    start = end + 1
    if ((id & 0xff) === 0 && pacer.due) await pacer.turn()
  }
  requireAll(id, tokens, path)
}

function requireAll(count: number, tokens: RawTokens, path: string): void {
  if (count !== tokens.count)
    throw corrupt(path, `it has ${count} tokens, where the model has ${tokens.count}`)
}
