import type { Pacer } from '../../pacer.ts'
import { readCompanion } from '../companions.ts'
import { corrupt } from '../failures.ts'
import { JsonReader } from '../json-reader.ts'
import type { Vocabulary } from '../plan.ts'
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
 * @returns `undefined` when there is none
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, or `ERR_MODEL_UNSUPPORTED` for other ids
 */
export async function readCompanionVocabulary(
  folder: string,
  size: number,
  pacer: Pacer,
): Promise<Vocabulary | undefined> {
  for (const [file, read] of READERS) {
    const companion = await readCompanion(folder, file, MAX_FILE)
    if (companion === undefined) continue
    const { path, bytes } = companion
    const tokens = new RawTokens(path, bytes.byteLength, size)
    await read(bytes, tokens, path, pacer)
    return await checkedVocabulary(tokens, size, path, pacer)
  }
  return undefined
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
