import type { Pacer } from '../../pacer.ts'
import { BlockReader } from '../block-reader.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import { rowBytes, typeLayout } from '../ggml-types.ts'
import type { StoredType } from '../plan.ts'
import type { ByteSource } from '../source.ts'
import { storedTypeOf } from './gguf-types.ts'
import { type GgufValue, GgufValueReader, VALUE_TYPE } from './gguf-values.ts'

const GGUF_MAGIC = 0x46554747
/** The newest version; 2 has the same layout, 1 counted in 32 bits. */
const NEWEST_VERSION = 3
const DEFAULT_ALIGNMENT = 32
const MAX_ALIGNMENT = 1 << 16
/** Limits far above what Whisper needs: files have up to 100 entries and 1300 tensors. */
const MAX_ENTRIES = 4096
const MAX_TENSORS = 16_384
const MAX_KEY = 256
const MAX_NAME = 128
const MAX_RANK = 4
const MAX_SIZE = 2 ** 32

export interface GgufTensor {
  name: string
  type: StoredType
  /** Fastest dimension first. */
  shape: number[]
  /** In the source. */
  offset: number
}

/** What a GGUF file says before its weights. */
export interface GgufFile {
  version: number
  metadata: ReadonlyMap<string, GgufValue>
  tensors: GgufTensor[]
}

/**
 * Reads the tables of a GGUF file: magic, version, counts, key-value pairs, the list of tensors; little-endian. Data of tensors follow at a
 * multiple of the alignment.
 *
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, or `ERR_MODEL_UNSUPPORTED` for other versions and big-endian files
 */
export async function readGgufContainer(source: ByteSource, pacer: Pacer): Promise<GgufFile> {
  const reader = new BlockReader(source, pacer)
  reader.readAhead = 1 << 16
  await reader.ensure(8, 'the header')
  if (reader.u32() !== GGUF_MAGIC) throw corrupt(source.name, 'it does not start with GGUF')
  const version = requireVersion(reader.u32(), source.name)
  await reader.ensure(16, 'the header')
  const tensorCount = count(reader, 'tensors', MAX_TENSORS)
  const entryCount = count(reader, 'key-value pairs', MAX_ENTRIES)
  const metadata = await readMetadata(reader, entryCount, pacer)
  const alignment = alignmentOf(metadata, source.name)
  const tensors = await readTensors(reader, tensorCount)
  const start = Math.ceil(reader.position / alignment) * alignment
  placeTensors(tensors, start, alignment, source)
  return { version, metadata, tensors }
}

function requireVersion(version: number, file: string): number {
  if (version === 2 || version === NEWEST_VERSION) return version
  // A small number in the other byte order.
  if (version !== 0 && (version & 0xffff) === 0) {
    throw unsupported(file, 'it is a big-endian GGUF file', ['Convert it again on a little-endian machine'])
  }
  if (version === 0) throw corrupt(file, 'it says that it is GGUF of version 0, which does not exist')
  throw unsupported(file, `it is GGUF of version ${version}, where 2 and 3 are supported`)
}

function count(reader: BlockReader, what: string, maximum: number): number {
  const value = reader.u64()
  if (value <= maximum) return value
  throw corrupt(reader.source.name, `it has ${value} ${what}, where ${maximum} are possible`)
}

async function readMetadata(
  reader: BlockReader,
  entries: number,
  pacer: Pacer,
): Promise<Map<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>()
  const values = new GgufValueReader(reader, pacer)
  for (let i = 0; i < entries; i++) {
    if (pacer.due) await pacer.turn()
    const key = await readName(reader, `key ${i}`, MAX_KEY)
    if (metadata.has(key)) throw corrupt(reader.source.name, `it has the key ${quote(key)} twice`)
    metadata.set(key, await values.read(key))
  }
  return metadata
}

async function readName(reader: BlockReader, what: string, maximum: number): Promise<string> {
  await reader.ensure(8, what)
  const length = reader.u64()
  if (length < 1 || length > maximum) {
    throw corrupt(
      reader.source.name,
      `${what} before byte ${reader.position} has ${length} bytes, where 1 to ${maximum} are possible`,
    )
  }
  await reader.ensure(length, what)
  return reader.text(length)
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>, file: string): number {
  const entry = metadata.get('general.alignment')
  if (entry === undefined) return DEFAULT_ALIGNMENT
  const { type, value } = entry
  const isPowerOf2 = typeof value === 'number' && value >= 8 && (value & (value - 1)) === 0
  if (type === VALUE_TYPE.u32 && isPowerOf2 && value <= MAX_ALIGNMENT) return value
  throw corrupt(
    file,
    `general.alignment is ${quote(String(value))}, where a power of 2 from 8 to ${MAX_ALIGNMENT} is needed`,
  )
}

async function readTensors(reader: BlockReader, tensorCount: number): Promise<GgufTensor[]> {
  const tensors: GgufTensor[] = []
  const names = new Set<string>()
  for (let i = 0; i < tensorCount; i++) {
    const name = await readName(reader, `the name of tensor ${i}`, MAX_NAME)
    if (names.has(name)) throw corrupt(reader.source.name, `tensor ${quote(name)} is there twice`)
    names.add(name)
    tensors.push(await readTensor(reader, name))
  }
  return tensors
}

async function readTensor(reader: BlockReader, name: string): Promise<GgufTensor> {
  const file = reader.source.name
  const what = `the entry of tensor ${quote(name)}`
  await reader.ensure(4, what)
  const rank = reader.u32()
  if (rank < 1 || rank > MAX_RANK) {
    throw corrupt(file, `tensor ${quote(name)} has ${rank} dimensions, where 1 to ${MAX_RANK} are possible`)
  }
  await reader.ensure(8 * rank + 12, what)
  const shape = Array.from({ length: rank }, () => reader.u64())
  const isPossible = shape.every((size) => size >= 1 && size <= MAX_SIZE)
  if (!isPossible) throw corrupt(file, `tensor ${quote(name)} has the impossible shape [${shape}]`)
  const type = storedTypeOf(reader.u32(), name, file)
  const { block, name: typeName } = typeLayout(type)
  if ((shape[0] as number) % block !== 0) {
    throw corrupt(
      file,
      `the rows of tensor ${quote(name)} have ${shape[0]} values, which ${typeName} cannot store`,
    )
  }
  return { name, type, shape, offset: reader.u64() }
}

/** Turns offsets into those in the source; every tensor must have a place of its own there. */
function placeTensors(
  tensors: readonly GgufTensor[],
  start: number,
  alignment: number,
  { name: file, size }: ByteSource,
): void {
  let end = start
  let before = ''
  for (const tensor of tensors.toSorted((a, b) => a.offset - b.offset)) {
    const name = quote(tensor.name)
    if (tensor.offset % alignment !== 0)
      throw corrupt(file, `tensor ${name} is at offset ${tensor.offset}, no multiple of ${alignment}`)
    const [length, ...others] = tensor.shape as [number, ...number[]]
    const bytes = others.reduce((product, size) => product * size, rowBytes(tensor.type, length))
    tensor.offset += start
    if (!(tensor.offset + bytes <= size)) {
      throw corrupt(
        file,
        `it ends at byte ${size}, where tensor ${name} has ${bytes} bytes from byte ${tensor.offset}`,
      )
    }
    if (tensor.offset < end) throw corrupt(file, `tensors ${before} and ${name} overlap`)
    end = tensor.offset + bytes
    before = name
  }
}
