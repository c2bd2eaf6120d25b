import { join } from 'node:path'
import { packageRoot } from '../../backend/package-root.ts'
import { WhisperHipError } from '../../errors.ts'
import { onDisk } from '../../host/asar.ts'
import type { Pacer } from '../../pacer.ts'
import type { VocabularySource } from '../checkpoint.ts'
import { corrupt, unsupported } from '../failures.ts'
import type { Vocabulary } from '../plan.ts'
import { exists, openFileSource } from '../sources.ts'
import { endOfText, VocabularyPacker } from '../tokenizer.ts'

/** In this package; put there by scripts/vendor.mjs. */
const FOLDER = 'vendor/whisper-vocabulary/whisper/assets'
const SIZES: readonly number[] = [51864, 51865, 51866]
/** Largest file that is read, in bytes; both have about 800,000. */
const MAX_FILE = 4 << 20
/** By size, as long as a model has it. */
const read = new Map<number, WeakRef<Vocabulary>>()

/**
 * The vocabularies of OpenAI's own code, which come with this package: the one of GPT-2 for English-only models, the multilingual one for
 * all others. Checkpoints of that code have no vocabulary of their own.
 *
 * @param stored number of rows of the embedding: which vocabulary it is
 * @param name of the model, for messages
 */
export function standardVocabulary(stored: number, name: string, pacer: Pacer): VocabularySource {
  return {
    async originalSize(): Promise<number> {
      if (SIZES.includes(stored)) return stored
      throw unsupported(name, `it has ${stored} tokens, and no tokenizer that says what they mean`, [
        'Put the files of its tokenizer beside it: tokenizer.json, or vocab.json and added_tokens.json',
      ])
    },
    async read(size: number): Promise<Vocabulary> {
      const known = read.get(size)?.deref()
      if (known !== undefined) return known
      const vocabulary = await readRanks(size, pacer)
      read.set(size, new WeakRef(vocabulary))
      return vocabulary
    },
  }
}

/** Of a model whose own vocabulary is not beside it, but whose size is that of OpenAI's. */
export const STANDARD_NOTE = "it has no vocabulary of its own: OpenAI's is used"

/** A line for each token: base64, a space and its id, in order. */
async function readRanks(size: number, pacer: Pacer): Promise<Vocabulary> {
  const path = onDisk(join(packageRoot(), FOLDER, `${size === 51864 ? 'gpt2' : 'multilingual'}.tiktoken`))
  if (!(await exists(path))) {
    throw new WhisperHipError(
      'ERR_MODEL_NOT_FOUND',
      `The vocabulary of OpenAI's checkpoints is missing: ${path}`,
      { advice: ['In a checkout, run node scripts/vendor.mjs; else install whisper-hip again'] },
    )
  }
  const text = await readText(path)
  const packer = new VocabularyPacker(path, endOfText(size))
  let id = 0
  for (let start = 0; start < text.length; id++) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const [token = '', rank] = text.slice(start, end).split(' ')
    if (Number(rank) !== id || id >= packer.count)
      throw corrupt(path, `its line ${id + 1} is not token ${id}`)
    packer.add(Buffer.from(token, 'base64'))
    start = end + 1
    if ((id & 0x3f) === 0 && pacer.due) await pacer.turn()
  }
  if (id !== packer.count) throw corrupt(path, `it has ${id} tokens in place of ${packer.count}`)
  return packer.finish()
}

async function readText(path: string): Promise<string> {
  const source = await openFileSource(path)
  try {
    if (source.size > MAX_FILE)
      throw corrupt(path, `it has ${source.size} bytes, where ${MAX_FILE} are possible`)
    return Buffer.from(await source.read(0, source.size)).toString('latin1')
  } finally {
    await source.close()
  }
}
