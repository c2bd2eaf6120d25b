import type { Pacer } from '../../pacer.ts'
import { BlockReader } from '../block-reader.ts'
import { type LocatedTensor, typedTensors } from '../conversions.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import { type FileType, fileType, rowBytes, typeLayout } from '../ggml-types.ts'
import { requirePlausible, requireSupported } from '../hyperparameters.ts'
import { SPECTRUM_BINS } from '../mel.ts'
import { GgmlType, type Hyperparameters, type LoadPlan, type Vocabulary } from '../plan.ts'
import { type RequiredTensor, requiredTensors } from '../required-tensors.ts'
import type { ByteSource } from '../source.ts'
import { endOfText, MAX_TOKEN_BYTES, VocabularyPacker } from '../tokenizer.ts'

/** The file starts with `lmgg`. */
const GGML_MAGIC = 0x67676d6c

/** `ftype` is a type + 1000 * the version of ggml's block layouts. */
const LAYOUT_VERSION_FACTOR = 1000
const LAYOUT_VERSION = 2
/** Fewest text tokens of a model: English-only vocabularies have 50256, multilingual ones 50257 with an empty last one. */
const MIN_TOKENS = 50256
const MAX_NAME = 128

/**
 * Reads a legacy ggml file, the format of whisper.cpp's own converters (and of many files that are called `.gguf`).
 *
 * Layout, little-endian and unaligned: magic, 11 hyperparameters, the mel filters, the vocabulary, then tensor records
 * until the end of the file. There are no checksums; the file must have each tensor that whisper.cpp v1.9.1
 * needs once, with its shape and the type that the header announces, and nothing else.
 *
 * @throws WhisperHipError `ERR_MODEL_CORRUPT` or `ERR_MODEL_UNSUPPORTED`
 */
export async function readLegacyGgml(source: ByteSource, pacer: Pacer): Promise<LoadPlan> {
  const reader = new BlockReader(source, pacer)
  const { hyperparameters, weights } = await readHeader(reader)
  const melFilters = await readMelFilters(reader, hyperparameters.melBins)
  const vocabulary = await readVocabulary(reader, hyperparameters.vocabularySize)
  const tensors = await readTensors(reader, hyperparameters, weights)
  requireSupported(hyperparameters, source.name)
  return {
    format: 'ggml',
    dialect: `ftype ${weights.ftype}`,
    hyperparameters,
    melFilters,
    vocabulary,
    ...typedTensors(tensors),
    sources: [source],
  }
}

async function readHeader(
  reader: BlockReader,
): Promise<{ hyperparameters: Hyperparameters; weights: Weights }> {
  const { name } = reader.source
  await reader.ensure(48, 'the header')
  if (reader.u32() !== GGML_MAGIC) throw corrupt(name, 'it does not start with the magic number of ggml')
  const hyperparameters: Hyperparameters = {
    vocabularySize: reader.i32(),
    audioContext: reader.i32(),
    audioState: reader.i32(),
    audioHeads: reader.i32(),
    audioLayers: reader.i32(),
    textContext: reader.i32(),
    textState: reader.i32(),
    textHeads: reader.i32(),
    textLayers: reader.i32(),
    melBins: reader.i32(),
  }
  requirePlausible(hyperparameters, name)
  return { hyperparameters, weights: weightsOf(reader.i32(), name) }
}

/** What the header says about the weights. */
interface Weights extends FileType {
  /** Of ggml's block layouts: 2 is current, 0 is not given. */
  layoutVersion: number
}

function weightsOf(ftype: number, name: string): Weights {
  const layoutVersion = Math.trunc(ftype / LAYOUT_VERSION_FACTOR)
  const type = fileType(ftype % LAYOUT_VERSION_FACTOR)
  if (!type || layoutVersion < 0 || layoutVersion > LAYOUT_VERSION) {
    throw corrupt(name, `ftype is ${ftype}, which stands for no type of ggml`)
  }
  return { ...type, layoutVersion }
}

async function readMelFilters(reader: BlockReader, melBins: number): Promise<Float32Array> {
  const { name } = reader.source
  await reader.ensure(8, 'the header')
  const bins = reader.i32()
  const spectrumBins = reader.i32()
  if (bins !== melBins || spectrumBins !== SPECTRUM_BINS) {
    const found = `its mel filters are ${bins} x ${spectrumBins}`
    throw corrupt(name, `${found}, where ${melBins} x ${SPECTRUM_BINS} are needed`)
  }
  await reader.ensure(4 * bins * spectrumBins, 'the mel filters')
  const filters = new Float32Array(bins * spectrumBins)
  for (let i = 0; i < filters.length; i++) {
    const value = reader.f32()
    if (!Number.isFinite(value)) throw corrupt(name, `value ${i} of its mel filters is ${value}`)
    filters[i] = value
  }
  return filters
}

/** Keeps the text tokens only: whisper.cpp makes up the names of the special ones, which follow them. */
async function readVocabulary(reader: BlockReader, vocabularySize: number): Promise<Vocabulary> {
  const { name } = reader.source
  await reader.ensure(4, 'the header')
  const count = reader.i32()
  const least = Math.min(MIN_TOKENS, vocabularySize)
  if (!(count >= least && count <= vocabularySize)) {
    throw corrupt(
      name,
      `its vocabulary lists ${count} tokens, where ${least} to ${vocabularySize} are possible`,
    )
  }
  const packer = new VocabularyPacker(name, Math.min(count, endOfText(vocabularySize)))
  reader.readAhead = 1 << 16
  for (let id = 0; id < count; ) {
    await reader.ensure(4, `token ${id} of the vocabulary`)
    const length = requireLength(reader.peekU32(), id, name)
    await reader.ensure(4 + length, `token ${id} of the vocabulary`)
    id = packAvailable(reader, packer, id, count)
  }
  reader.readAhead = 1 << 12
  return packer.finish()
}

function requireLength(length: number, id: number, file: string): number {
  if (length <= MAX_TOKEN_BYTES) return length
  throw corrupt(file, `token ${id} is ${length} bytes long, where ${MAX_TOKEN_BYTES} are possible`)
}

/**
 * Packs the tokens that are available in whole, without a pause: about 9,000 in a block. Returns the next id. Looks into the block itself:
 * getters of the reader take longer than the bytes of a token.
 */
function packAvailable(reader: BlockReader, packer: VocabularyPacker, first: number, count: number): number {
  const { block, buffered } = reader
  const start = reader.advance(0)
  const end = start + buffered
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
  let at = start
  let id = first
  for (; id < count && at + 4 <= end; id++) {
    const next = at + 4 + requireLength(view.getUint32(at, true), id, reader.source.name)
    if (next > end) break
    if (id < packer.count) packer.add(block, at + 4, next)
    at = next
  }
  reader.advance(at - start)
  return id
}

async function readTensors(
  reader: BlockReader,
  hyperparameters: Hyperparameters,
  weights: Weights,
): Promise<LocatedTensor[]> {
  const { name: file } = reader.source
  const missing = new Map(requiredTensors(hyperparameters).map((tensor) => [tensor.name, tensor]))
  const tensors: LocatedTensor[] = []
  while (reader.remaining > 0) {
    const { name, shape, tag } = await readTensorHeader(reader)
    const tensor = missing.get(name)
    if (!tensor) {
      const twice = tensors.some((known) => known.name === name)
      throw corrupt(
        file,
        twice ? `tensor ${name} is there twice` : `${quote(name)} is no tensor of this Whisper model`,
      )
    }
    missing.delete(name)
    requireShape(tensor, shape, file)
    const stored = requireType(tensor, tag, weights, file)
    const [length, rows] = rowsOf(shape)
    const offset = reader.position
    reader.skip(rowBytes(stored, length) * rows, `the data of tensor ${name}`)
    tensors.push({ name, shape, kind: tensor.kind, parts: [{ source: 0, offset, type: stored, rows }] })
  }
  const [first] = missing.keys()
  if (first !== undefined)
    throw corrupt(file, `${missing.size} of its tensors are missing, ${first} among them`)
  return tensors
}

async function readTensorHeader(
  reader: BlockReader,
): Promise<{ name: string; shape: number[]; tag: number }> {
  const { name: file } = reader.source
  const at = reader.position
  await reader.ensure(12, 'the header of a tensor')
  const rank = reader.i32()
  const nameLength = reader.i32()
  const tag = reader.i32()
  if (rank < 1 || rank > 3 || nameLength < 1 || nameLength > MAX_NAME) {
    throw corrupt(
      file,
      `at byte ${at} is no header of a tensor (${rank} dimensions, ${nameLength} bytes of name)`,
    )
  }
  await reader.ensure(4 * rank + nameLength, 'the header of a tensor')
  const shape = Array.from({ length: rank }, () => reader.i32())
  return { name: reader.text(nameLength), shape, tag }
}

function requireShape(tensor: RequiredTensor, shape: readonly number[], file: string): void {
  if (shape.length === tensor.shape.length && shape.every((size, i) => size === tensor.shape[i])) return
  throw corrupt(file, `tensor ${tensor.name} has shape [${shape}], where [${tensor.shape}] is needed`)
}

/**
 * The type of a tensor in the file: weights have one, vectors are f32, kernels of convolutions f16 or f32. whisper.cpp wants kernels that are f32
 * beside f32 weights alone, but its own quantiser leaves them f32 beside those that it makes of f32 weights.
 */
function requireType(tensor: RequiredTensor, tag: number, weights: Weights, file: string): GgmlType {
  const isWeight = tensor.kind === 'weight'
  const isFloat = tensor.kind === 'vector' || tag === GgmlType.F32
  const expected = isWeight ? weights.tag : isFloat ? GgmlType.F32 : GgmlType.F16
  if (tag !== expected) {
    throw corrupt(
      file,
      `tensor ${tensor.name} has type ${tag}, where ${expected} is needed beside ${weights.name}`,
    )
  }
  if (isWeight) requireLoadable(weights, file)
  return requireWholeBlocks(tensor, expected as GgmlType, file)
}

/** Called when a tensor has confirmed what the header says: a wrong bit in the header alone is damage. */
function requireLoadable(weights: Weights, file: string): void {
  if (weights.type === undefined) {
    throw unsupported(file, `its weights are ${weights.name}, a type that this version does not load`, [
      'Quantize the f16 model to q8_0, q5_0 or q4_k',
    ])
  }
  if (weights.layoutVersion === 1 && typeLayout(weights.type).block > 1) {
    throw unsupported(
      file,
      `its ${weights.name} weights have version 1 of ggml's block layouts, of May 2023`,
      ['Quantize the f16 model again with a current whisper.cpp'],
    )
  }
}

function requireWholeBlocks(tensor: RequiredTensor, type: GgmlType, file: string): GgmlType {
  const { block, name } = typeLayout(type)
  const length = tensor.shape[0] as number
  if (length % block === 0) return type
  // whisper.cpp's quantiser writes such files of the smallest models, of which it reads none.
  throw unsupported(
    file,
    `the rows of tensor ${tensor.name} have ${length} values, which ${name} cannot store`,
    ['Quantize the f16 model to q8_0 or q5_0'],
  )
}

function rowsOf(shape: readonly number[]): [length: number, rows: number] {
  const [length, ...others] = shape as [number, ...number[]]
  return [length, others.reduce((rows, size) => rows * size, 1)]
}
