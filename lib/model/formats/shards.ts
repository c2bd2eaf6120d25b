import type { Pacer } from '../../pacer.ts'
import { companionPath } from '../companions.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import { JsonReader } from '../json-reader.ts'
import type { LoadPlan } from '../plan.ts'
import type { ByteSource } from '../source.ts'
import { openFileSource } from '../sources.ts'
import { identify } from './identify.ts'
import { planTensorFiles, readTable, type TensorFormat } from './tensor-file.ts'
import type { TensorTable } from './tensor-table.ts'

/** Largest index that is read, in bytes: Whisper's largest model has 120,000. */
const MAX_INDEX = 4 << 20
const MAX_SHARDS = 256
const MAX_TENSORS = 1 << 14

/**
 * Reads a model in several files, which an index (`model.safetensors.index.json` or that of PyTorch or Flax) lists: each has exactly the
 * tensors that the index says, and lies in the folder of the index.
 *
 * @param index closed when the plan is made
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, `ERR_MODEL_UNSUPPORTED`, `ERR_MODEL_FORMAT`, or `ERR_MODEL_NOT_FOUND`
 */
export async function readShards(index: ByteSource, folder: string | null, pacer: Pacer): Promise<LoadPlan> {
  const { name } = index
  if (folder === null)
    throw unsupported(name, 'it is only the index of a model in several files', ['Pass the folder instead'])
  const shards = await readIndex(index, pacer)
  const sources: ByteSource[] = []
  try {
    const tables: TensorTable[] = []
    let format: TensorFormat | undefined
    for (const [file, expected] of shards) {
      const source = await openShard(folder, file, name)
      sources.push(source)
      const found = await identify(source)
      if (found !== 'safetensors' && found !== 'pytorch' && found !== 'flax')
        throw corrupt(name, `${quote(file)} is a ${found} file, where a part of a checkpoint is needed`)
      if (format !== undefined && format !== found) throw corrupt(name, `its files have different formats`)
      format = found
      const table = await readTable(source, format, pacer)
      requireExactly(expected, table, source.name)
      tables.push(table)
    }
    if (format === undefined) throw corrupt(name, 'its weight_map is empty')
    const plan = await planTensorFiles(
      { format, dialect: `${tables.length} files`, name, folder, sources, tables },
      pacer,
    )
    await index.close()
    return plan
  } catch (error) {
    await Promise.all(sources.map((source) => source.close()))
    throw error
  }
}

/** Names of tensors by the file that has them. */
async function readIndex(index: ByteSource, pacer: Pacer): Promise<Map<string, Set<string>>> {
  const { name, size } = index
  if (size > MAX_INDEX) throw corrupt(name, `it has ${size} bytes, where ${MAX_INDEX} are possible`)
  const json = new JsonReader(await index.read(0, size), name)
  const shards = new Map<string, Set<string>>()
  const tensors = new Set<string>()
  json.open('{')
  while (json.more()) {
    if (json.key() !== 'weight_map') {
      await json.skip(pacer)
      continue
    }
    json.open('{')
    while (json.more()) {
      const tensor = json.key()
      const file = json.string()
      if (tensors.has(tensor)) throw corrupt(name, `tensor ${quote(tensor)} is there twice`)
      tensors.add(tensor)
      if (tensors.size > MAX_TENSORS) throw corrupt(name, `it lists more than ${MAX_TENSORS} tensors`)
      const shard = shards.get(file) ?? new Set()
      shards.set(file, shard.add(tensor))
      if (shards.size > MAX_SHARDS) throw corrupt(name, `it lists more than ${MAX_SHARDS} files`)
      if (pacer.due) await pacer.turn()
    }
  }
  json.finish()
  return shards
}

async function openShard(folder: string, file: string, index: string): Promise<ByteSource> {
  const path = await companionPath(folder, file)
  if (path === undefined) throw corrupt(index, `its file ${quote(file)} is missing`)
  return await openFileSource(path)
}

function requireExactly(expected: ReadonlySet<string>, { tensors }: TensorTable, name: string): void {
  for (const tensor of expected)
    if (!tensors.has(tensor))
      throw corrupt(name, `tensor ${quote(tensor)} is missing, which the index says it has`)
  for (const tensor of tensors.keys())
    if (!expected.has(tensor))
      throw corrupt(name, `it has tensor ${quote(tensor)}, of which the index does not know`)
}
