import type { Pacer } from '../../pacer.ts'
import { type Checkpoint, planCheckpoint } from '../checkpoint.ts'
import { corrupt, notAModel, quote, unsupported } from '../failures.ts'
import type { Hyperparameters, LoadPlan } from '../plan.ts'
import type { ByteSource } from '../source.ts'
import type { StoredTensor } from '../stored-tensor.ts'
import { canonicalName } from '../tensor-names.ts'
import { flaxName, readFlax } from './flax.ts'
import { readHuggingFaceConfig } from './hf-config.ts'
import { huggingFaceVocabulary } from './hf-vocabulary.ts'
import { fromMlx, isMlx } from './mlx.ts'
import { readPyTorch } from './pytorch.ts'
import { readSafetensors } from './safetensors.ts'
import { standardVocabulary } from './standard-vocabulary.ts'
import type { TensorTable } from './tensor-table.ts'

export type TensorFormat = 'safetensors' | 'pytorch' | 'flax'

/** One or several files with the tensors of one model. */
export interface TensorFiles {
  format: TensorFormat
  dialect: string
  /** For messages: path of the file or of the index. */
  name: string
  /** Where the configuration and the vocabulary are, or `null` when the model came as bytes. */
  folder: string | null
  sources: ByteSource[]
  /** One for each source. */
  tables: readonly TensorTable[]
}

/**
 * Reads a model in one file, with `config.json` and the files of the tokenizer beside it.
 * @throws WhisperHipError `ERR_MODEL_FORMAT`, `ERR_MODEL_CORRUPT`, `ERR_MODEL_UNSUPPORTED`, or `ERR_MODEL_NOT_FOUND` when the vocabulary is missing
 */
export async function readTensorFile(
  source: ByteSource,
  folder: string | null,
  format: TensorFormat,
  pacer: Pacer,
): Promise<LoadPlan> {
  const { name } = source
  const table = await readTable(source, format, pacer)
  if (/-\d{5}-of-\d{5}\.\w+$/.test(name)) {
    throw unsupported(name, 'it is one of several files of a checkpoint', [
      'Pass the folder, or the file .index.json that lies beside it',
    ])
  }
  return await planTensorFiles(
    { format, dialect: 'one file', name, folder, sources: [source], tables: [table] },
    pacer,
  )
}

/** Reads what a file says of its tensors. */
export async function readTable(
  source: ByteSource,
  format: TensorFormat,
  pacer: Pacer,
): Promise<TensorTable> {
  if (format === 'pytorch') return await readPyTorch(source, pacer)
  if (format === 'flax') return { tensors: await readFlax(source, pacer) }
  const tensors = await readSafetensors(source, pacer)
  return isMlx(tensors) ? { tensors: fromMlx(tensors), writer: 'MLX' } : { tensors }
}

/**
 * Makes the plan of a model. The names of the tensors tell its kind: OpenAI's own checkpoints carry dimensions and
 * have no vocabulary with them, those of Hugging Face's transformers have both in files beside them.
 */
export async function planTensorFiles(files: TensorFiles, pacer: Pacer): Promise<LoadPlan> {
  const { name, folder, format, sources } = files
  const tensors = new Map<string, StoredTensor>()
  let isOpenAi = false
  for (const [source, table] of files.tables.entries()) {
    refuseVoiceActivity(table, name)
    for (const [original, tensor] of table.tensors) {
      const canonical = format === 'flax' ? flaxName(original) : canonicalName(original)
      if (tensors.has(canonical)) throw corrupt(name, `tensor ${quote(canonical)} is there twice`)
      tensors.set(canonical, { ...tensor, source })
      isOpenAi ||= /(^|\.)(en|de)coder\.blocks\./.test(original)
    }
  }
  const checkpoint: Checkpoint = {
    format,
    dialect: `${files.tables[0]?.writer ?? (isOpenAi ? 'OpenAI' : 'Hugging Face')}, ${files.dialect}`,
    name,
    sources,
    tensors,
    config: isOpenAi ? dimensionsOf(files) : await readHuggingFaceConfig(folder),
    vocabulary: isOpenAi
      ? standardVocabulary(rowsOfEmbedding(tensors), name, pacer)
      : huggingFaceVocabulary(folder, name, rowsOfEmbedding(tensors), pacer),
  }
  return await planCheckpoint(checkpoint, pacer)
}

function dimensionsOf({ tables }: TensorFiles): Partial<Hyperparameters> {
  return Object.assign({}, ...tables.map(({ dimensions }) => dimensions))
}

function rowsOfEmbedding(tensors: ReadonlyMap<string, StoredTensor>): number {
  return tensors.get('decoder.token_embedding.weight')?.shape[1] ?? 0
}

/** Silero's model for voice activity, as its Python package has it. */
function refuseVoiceActivity({ tensors }: TensorTable, name: string): void {
  if (!tensors.has('stft_conv.weight') || !tensors.has('lstm_cell.weight_ih')) return
  throw notAModel(name, 'a Silero voice activity model')
}
