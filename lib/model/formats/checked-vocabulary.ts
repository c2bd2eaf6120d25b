import type { WhisperHipError } from '../../errors.ts'
import type { Pacer } from '../../pacer.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import type { Vocabulary } from '../plan.ts'
import { endOfText, specialTokens, VocabularyPacker } from '../tokenizer.ts'
import type { RawTokens } from './raw-tokens.ts'

/**
 * Compares the special tokens with those that whisper.cpp derives from the size of the vocabulary.
 * @returns what is wrong with the first that differs: `ERR_MODEL_CORRUPT` or `ERR_MODEL_UNSUPPORTED`
 */
export function specialTokenFailure(
  tokens: RawTokens,
  size: number,
  path: string,
): WhisperHipError | undefined {
  const expected = specialTokens(size)
  const firstTimeStamp = expected.at(-1)?.id
  for (const { id, names } of expected) {
    const token = tokens.get(id)
    // Tokenizers of older checkpoints do not list the time stamps.
    if (token === undefined && id === firstTimeStamp) continue
    if (token === undefined) return corrupt(path, `token ${id} (${names[0]}) is missing`)
    const name = Buffer.from(token).toString('utf8')
    if (!names.includes(name)) {
      return unsupported(path, `token ${id} is ${quote(name)}, where whisper.cpp has ${names[0]}`)
    }
  }
  return undefined
}

/**
 * The text tokens as bytes, of a vocabulary whose special tokens are where whisper.cpp has them.
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, or `ERR_MODEL_UNSUPPORTED` for special tokens elsewhere
 */
export async function checkedVocabulary(
  tokens: RawTokens,
  size: number,
  path: string,
  pacer: Pacer,
): Promise<Vocabulary> {
  const failure = specialTokenFailure(tokens, size, path)
  if (failure !== undefined) throw failure
  const count = endOfText(size)
  const packer = new VocabularyPacker(path, count)
  for (let id = 0; id < count; id++) {
    if (!tokens.has(id)) throw corrupt(path, `token ${id} is missing`)
    if (!packer.addByteLevel(tokens.bytes, tokens.startOf(id), tokens.endOf(id))) {
      const text = quote(Buffer.from(tokens.get(id) ?? []).toString('utf8'))
      throw corrupt(path, `token ${id}, ${text}, is not in byte-level form`)
    }
    if ((id & 0xff) === 0 && pacer.due) await pacer.turn()
  }
  return packer.finish()
}
