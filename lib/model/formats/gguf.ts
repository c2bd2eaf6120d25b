import { basename } from 'node:path'
import type { Pacer } from '../../pacer.ts'
import { type Checkpoint, planCheckpoint, type VocabularySource } from '../checkpoint.ts'
import { companionPath } from '../companions.ts'
import { corrupt } from '../failures.ts'
import type { Hyperparameters, LoadPlan, Vocabulary } from '../plan.ts'
import type { ByteSource } from '../source.ts'
import type { StoredTensor } from '../stored-tensor.ts'
import { canonicalName } from '../tensor-names.ts'
import { checkedVocabulary, specialTokenFailure } from './checked-vocabulary.ts'
import { type GgufFile, readGgufContainer } from './gguf-container.ts'
import { dialectOf, labelsOf, refuseOthers, statedParameters } from './gguf-parameters.ts'
import { readHuggingFaceConfig } from './hf-config.ts'
import { huggingFaceVocabulary } from './hf-vocabulary.ts'
import { RawTokens } from './raw-tokens.ts'

const VOCABULARY_SIZES = [51864, 51865, 51866] as const

/**
 * Reads a GGUF file of Whisper, in any of the conventions that are in use: the keys of GGUF's specification, those of transcribe.cpp, candle's
 * files without metadata, and this library's own. What the metadata leave out is taken from the shapes of the tensors, and from the
 * `config.json` and `tokenizer.json` beside the file.
 *
 * @param folder where companions are, or `null` when the model came as bytes
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, `ERR_MODEL_UNSUPPORTED`, or `ERR_MODEL_NOT_FOUND` when there is no vocabulary
 */
export async function readGguf(source: ByteSource, folder: string | null, pacer: Pacer): Promise<LoadPlan> {
  const file = await readGgufContainer(source, pacer)
  refuseOthers(file.metadata, source.name)
  const names = file.tensors.map(({ name }) => name)
  const dialect = dialectOf(file.metadata, names, source.name)
  const companions = await companionsOf(source, folder)
  const tensors = tensorsOf(file, source.name)
  const rows = tensors.get('decoder.token_embedding.weight')?.shape[1] ?? 0
  const checkpoint: Checkpoint = {
    format: 'gguf',
    dialect: `version ${file.version}, ${dialect}`,
    name: source.name,
    sources: [source],
    tensors,
    config: await configOf(file, source, folder, companions.config),
    vocabulary: vocabularyOf(file, source, folder, rows, companions.tokenizer, pacer),
  }
  const plan = await planCheckpoint(checkpoint, pacer)
  return { ...plan, labels: labelsOf(file.metadata) }
}

function tensorsOf({ tensors }: GgufFile, file: string): Map<string, StoredTensor> {
  const byName = new Map<string, StoredTensor>()
  for (const { name, type, shape, offset } of tensors) {
    const canonical = canonicalName(name)
    if (byName.has(canonical)) throw corrupt(file, `tensor ${canonical} is there under two names`)
    byName.set(canonical, { source: 0, offset, type, shape })
  }
  return byName
}

interface Companions {
  config: string
  tokenizer: string
}

/**
 * The names of the files beside the model. Collections of several models number them: `model-tiny-q80.gguf` has `config-tiny.json` and
 * `tokenizer-tiny.json`.
 */
async function companionsOf({ name }: ByteSource, folder: string | null): Promise<Companions> {
  const plain = { config: 'config.json', tokenizer: 'tokenizer.json' }
  if (folder === null) return plain
  const stem = basename(name).replace(/\.gguf$/i, '')
  const model = stem.replace(/^(model|whisper)-/, '').replace(/[-.](q\d\w*|f16|f32|bf16)$/i, '')
  const find = async (kind: string) => {
    const file = `${kind}-${model}.json`
    return /^[\w.-]{1,64}$/.test(model) && (await companionPath(folder, file)) !== undefined
      ? file
      : `${kind}.json`
  }
  return { config: await find('config'), tokenizer: await find('tokenizer') }
}

/** The file goes before its companions. */
async function configOf(
  { metadata }: GgufFile,
  source: ByteSource,
  folder: string | null,
  config: string,
): Promise<Partial<Hyperparameters>> {
  const stated = statedParameters(metadata, source.name)
  if (Object.keys(stated).length > 0) return stated
  return await readHuggingFaceConfig(folder, config)
}

function vocabularyOf(
  { metadata }: GgufFile,
  source: ByteSource,
  folder: string | null,
  rows: number,
  tokenizer: string,
  pacer: Pacer,
): VocabularySource {
  const tokens = metadata.get('tokenizer.ggml.tokens')?.value
  if (tokens === undefined) return huggingFaceVocabulary(folder, source.name, rows, pacer, tokenizer)
  return {
    async originalSize(): Promise<number | null> {
      const all = requireTokens(tokens, source.name)
      const fits = (size: number) => specialTokenFailure(all, size, source.name) === undefined
      return VOCABULARY_SIZES.find(fits) ?? null
    },
    async read(size: number): Promise<Vocabulary> {
      return await checkedVocabulary(requireTokens(tokens, source.name), size, source.name, pacer)
    },
  }
}

function requireTokens(tokens: unknown, file: string): RawTokens {
  if (tokens instanceof RawTokens) return tokens
  throw corrupt(file, 'tokenizer.ggml.tokens is no array of strings')
}
