import { isUtf8 } from 'node:buffer'
import type { Pacer } from '../../pacer.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import { JsonReader } from '../json-reader.ts'
import { GgmlType } from '../plan.ts'
import type { ByteSource } from '../source.ts'
import { MLX_HEADS } from './mlx.ts'
import type { FileTensor } from './tensor-table.ts'

/** Largest header that the format allows, and the largest that is read: Whisper's largest model has 150,000 bytes. */
const MAX_HEADER = 100_000_000
const MAX_READ = 8 << 20
const MAX_TENSORS = 1 << 14
const MAX_METADATA = 1 << 12
const MAX_RANK = 8

/** Types of which tensors are loaded, by the names in the file, and the bytes of a value. */
const TYPES: ReadonlyMap<string, { type: GgmlType; bytes: number }> = new Map([
  ['F32', { type: GgmlType.F32, bytes: 4 }],
  ['F16', { type: GgmlType.F16, bytes: 2 }],
  ['BF16', { type: GgmlType.BF16, bytes: 2 }],
])

/** What the header says of a tensor. */
interface Entry {
  name: string
  dtype: string
  shape: number[]
  begin: number
  end: number
}

/**
 * Reads the table of a safetensors file: a length, a JSON text of that length, and the data of the tensors. The data must fill the
 * rest of the file without holes and overlaps, as the format demands, so that a file cannot be two things at once.
 *
 * @returns the tensors by their names in the file
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, or `ERR_MODEL_UNSUPPORTED` for types other than F32, F16 and BF16
 */
export async function readSafetensors(source: ByteSource, pacer: Pacer): Promise<Map<string, FileTensor>> {
  const { name: file } = source
  const length = await readLength(source)
  const header = await source.read(8, length)
  if (header[0] !== 0x7b) throw corrupt(file, 'its header does not start with {')
  if (!isUtf8(header)) throw corrupt(file, 'its header is not UTF-8')
  const entries = await readHeader(new JsonReader(header, file), file, pacer)
  requireWhole(entries, source, 8 + length)

  const tensors = new Map<string, FileTensor>()
  for (const { name, dtype, shape, begin, end } of entries) {
    if (name === MLX_HEADS) continue
    const known = TYPES.get(dtype)
    if (known === undefined) {
      throw unsupported(
        file,
        `tensor ${quote(name)} is ${quote(dtype)}, where F32, F16 and BF16 are supported`,
        ['Use the float weights; the option weightType quantises while loading'],
      )
    }
    const elements = shape.reduce((product, size) => product * size, 1)
    if (elements * known.bytes !== end - begin) {
      throw corrupt(
        file,
        `tensor ${quote(name)} has ${end - begin} bytes, where its shape [${shape}] and type ${dtype} need ${elements * known.bytes}`,
      )
    }
    tensors.set(name, { offset: 8 + length + begin, type: known.type, shape: shape.toReversed() })
  }
  return tensors
}

async function readLength(source: ByteSource): Promise<number> {
  const { name, size } = source
  if (size < 8) throw corrupt(name, `it ends at byte ${size}, inside the length of its header`)
  const length = Buffer.from(await source.read(0, 8)).readBigUInt64LE()
  if (length < 2n || length > BigInt(MAX_HEADER))
    throw corrupt(name, `its header has ${length} bytes, where 2 to ${MAX_HEADER} are possible`)
  if (length > BigInt(size - 8))
    throw corrupt(name, `it ends at byte ${size}, inside its header of ${length} bytes`)
  if (length > BigInt(MAX_READ))
    throw unsupported(name, `its header has ${length} bytes, where at most ${MAX_READ} are read`)
  return Number(length)
}

async function readHeader(json: JsonReader, file: string, pacer: Pacer): Promise<Entry[]> {
  const entries = new Map<string, Entry>()
  let hasMetadata = false
  json.open('{')
  while (json.more()) {
    const name = json.key()
    if (pacer.due) await pacer.turn()
    if (name === '__metadata__') {
      if (hasMetadata) throw corrupt(file, 'it has two entries __metadata__')
      hasMetadata = true
      await readMetadata(json, file, pacer)
      continue
    }
    if (entries.has(name)) throw corrupt(file, `tensor ${quote(name)} is there twice`)
    if (entries.size === MAX_TENSORS) throw corrupt(file, `it has more than ${MAX_TENSORS} tensors`)
    entries.set(name, readEntry(json, name, file))
  }
  json.finish()
  return [...entries.values()]
}

/** Texts by name, or none, as MLX writes it. What they say does not matter. */
async function readMetadata(json: JsonReader, file: string, pacer: Pacer): Promise<void> {
  if (json.isNull()) return
  const keys = new Set<string>()
  json.open('{')
  while (json.more()) {
    const key = json.key()
    if (keys.has(key)) throw corrupt(file, `its metadata have ${quote(key)} twice`)
    if (keys.size === MAX_METADATA)
      throw unsupported(file, `its metadata have more than ${MAX_METADATA} entries`)
    if (pacer.due) await pacer.turn()
    keys.add(key)
    json.findString()
  }
}

function readEntry(json: JsonReader, name: string, file: string): Entry {
  let dtype: string | undefined
  let shape: number[] | undefined
  let offsets: number[] | undefined
  json.open('{')
  while (json.more()) {
    const key = json.key()
    if (key === 'dtype' && dtype === undefined) dtype = json.string()
    else if (key === 'shape' && shape === undefined) shape = readIntegers(json, MAX_RANK, file)
    else if (key === 'data_offsets' && offsets === undefined) offsets = readIntegers(json, 2, file)
    else throw corrupt(file, `tensor ${quote(name)} has an unknown or repeated field ${quote(key)}`)
  }
  const [begin, end] = offsets ?? []
  if (dtype === undefined || shape === undefined || begin === undefined || end === undefined)
    throw corrupt(file, `tensor ${quote(name)} needs dtype, shape and two data_offsets`)
  return { name, dtype, shape, begin, end }
}

function readIntegers(json: JsonReader, maximum: number, file: string): number[] {
  const values: number[] = []
  json.open('[')
  while (json.more()) {
    if (values.length === maximum)
      throw corrupt(file, `its header has a list of more than ${maximum} numbers`)
    values.push(json.safeInteger())
  }
  return values
}

/** The tensors in the order of the data: each begins where the one before ends. */
function requireWhole(entries: readonly Entry[], { name: file, size }: ByteSource, start: number): void {
  let at = 0
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at || end < begin) {
      throw corrupt(
        file,
        `tensor ${quote(name)} is at bytes ${begin} to ${end} of the data, where ${at} comes next`,
      )
    }
    at = end
  }
  if (start + at !== size)
    throw corrupt(file, `its data end at byte ${start + at}, and the file at byte ${size}`)
}
