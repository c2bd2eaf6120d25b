import type { Pacer } from '../../pacer.ts'
import { corrupt } from '../failures.ts'
import { JsonReader } from '../json-reader.ts'
import type { RawTokens } from './raw-tokens.ts'

/** Hugging Face tokenizers: `model.vocab` has the text tokens by name, `added_tokens` the special ones. */
export async function readTokenizer(
  text: Uint8Array,
  tokens: RawTokens,
  path: string,
  pacer: Pacer,
): Promise<void> {
  const json = new JsonReader(text, path)
  json.open('{')
  while (json.more()) {
    const key = json.key()
    if (key === 'model') await readTokenizerModel(json, tokens, pacer)
    else if (key === 'added_tokens') await readAddedTokens(json, tokens, path, pacer)
    else await json.skip(pacer)
  }
  json.finish()
}

async function readTokenizerModel(json: JsonReader, tokens: RawTokens, pacer: Pacer): Promise<void> {
  json.open('{')
  while (json.more()) {
    if (json.key() !== 'vocab') {
      await json.skip(pacer)
      continue
    }
    await readTokensByName(json, tokens, pacer)
  }
}

/** An object of tokens and their ids, as `vocab.json` is one. */
export async function readTokensByName(json: JsonReader, tokens: RawTokens, pacer: Pacer): Promise<void> {
  json.open('{')
  for (let count = 1; json.more(); count++) {
    json.findKey()
    tokens.put(json.integer(), json.source, json.start, json.end)
    if ((count & 0xff) === 0 && pacer.due) await pacer.turn()
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
    let content: { source: Uint8Array; start: number; end: number } | undefined
    json.open('{')
    while (json.more()) {
      const key = json.key()
      if (key === 'id') id = json.integer()
      else if (key === 'content') {
        json.findString()
        content = { source: json.source, start: json.start, end: json.end }
      } else await json.skip(pacer)
    }
    if (id === undefined || content === undefined)
      throw corrupt(path, 'one of its added_tokens has no id or no content')
    tokens.put(id, content.source, content.start, content.end)
    if (pacer.due) await pacer.turn()
  }
}
