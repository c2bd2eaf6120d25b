import type { Pacer } from '../pacer.ts'
import { type LocatedTensor, typedTensors } from './conversions.ts'
import { corrupt, quote, unsupported } from './failures.ts'
import { rowBytes, typeLayout, typeName } from './ggml-types.ts'
import { requirePlausible, requireSupported } from './hyperparameters.ts'
import { melFilterBank } from './mel.ts'
import {
  GgmlType,
  type Hyperparameters,
  type LoadPlan,
  type ModelFormat,
  type TensorPart,
  type Vocabulary,
} from './plan.ts'
import { type RequiredTensor, requiredTensors } from './required-tensors.ts'
import { sinusoids } from './sinusoids.ts'
import type { ByteSource } from './source.ts'
import { filterProblem } from './stored-filters.ts'
import type { StoredTensor } from './stored-tensor.ts'
import { isTransposed } from './transposed.ts'
import { MAX_STRIDED_BYTES } from './validate-plan.ts'

/** Where the vocabulary of a checkpoint comes from. */
export interface VocabularySource {
  /**
   * The size of the vocabulary of which a larger embedding is an extension: 51864, 51865 or 51866, as the special tokens tell; null when
   * they do not.
   */
  originalSize(): Promise<number | null>
  /** The text tokens; checks that the special tokens have the ids that whisper.cpp gives them. */
  read(size: number): Promise<Vocabulary>
  /** For `ModelInfo.conversions`, when it has been read. */
  readonly note?: string | undefined
}

/** What a reader found in a container of named tensors. */
export interface Checkpoint {
  format: ModelFormat
  dialect: string
  /** For messages: path of the file or folder. */
  name: string
  sources: ByteSource[]
  /** By the names of `canonicalName()`. */
  tensors: ReadonlyMap<string, StoredTensor>
  /** What the checkpoint says of itself beside its tensors; each value must agree with them. */
  config: Partial<Hyperparameters>
  vocabulary: VocabularySource
  /** Notes for `ModelInfo.conversions`. */
  notes?: readonly string[]
}

const HEAD = 'proj_out.weight'
const EMBEDDING = 'decoder.token_embedding.weight'
const ENCODER_POSITIONS = 'encoder.positional_embedding'
/** Stored by some beside the weights. This library computes its filters, and those must be the same; the window follows from its length. */
const FILTERS = 'mel_filters'
const WINDOW = 'window'
/** Width of an attention head in every model of OpenAI. */
const HEAD_WIDTH = 64
/** Width of the kernels of both convolutions. */
const KERNEL = 3
const COMPARED_AT_ONCE = 1 << 20
/** Most rows of an embedding whose vocabulary may be an enlarged one of Whisper. */
const MAX_TOKENS = 1 << 16

/**
 * Makes a plan of named tensors, whatever they came in: settles the hyperparameters from the shapes, checks them against what the
 * checkpoint says, finds each tensor that Whisper needs, and refuses what is left over.
 *
 * - Missing positions of the encoder are computed: they are sinusoids.
 * - An output head must be the embedding, or equal to it; biases of keys must be zero: Whisper has neither.
 * - A vocabulary that was enlarged is cut back to the original one.
 *
 * @throws WhisperHipError `ERR_MODEL_CORRUPT` or `ERR_MODEL_UNSUPPORTED`
 */
export async function planCheckpoint(checkpoint: Checkpoint, pacer: Pacer): Promise<LoadPlan> {
  const { name, tensors, format, dialect } = checkpoint
  refuseAdapters(checkpoint)
  const stored = hyperparametersOf(checkpoint)
  requirePlausible(stored, name)
  // No tokenizer of that size is read.
  if (stored.vocabularySize > MAX_TOKENS) requireSupported(stored, name)
  const hyperparameters = { ...stored, vocabularySize: await originalVocabularySize(stored, checkpoint) }
  requireSupported(hyperparameters, name)

  const sources = [...checkpoint.sources]
  const notes = [...(checkpoint.notes ?? [])]
  if (hyperparameters.vocabularySize !== stored.vocabularySize) {
    const extra = stored.vocabularySize - hyperparameters.vocabularySize
    notes.push(`${extra} tokens beyond Whisper's vocabulary are left out`)
  }
  const located = requiredTensors(hyperparameters).map((required): LocatedTensor => {
    const tensor = tensors.get(required.name)
    if (tensor !== undefined) return locate(required, tensor, stored, name)
    if (required.name !== ENCODER_POSITIONS) throw corrupt(name, `tensor ${required.name} is missing`)
    notes.push('the positions of the encoder are computed')
    sources.push(sinusoids(hyperparameters.audioContext, hyperparameters.audioState))
    const part = {
      source: sources.length - 1,
      offset: 0,
      type: GgmlType.F32,
      rows: hyperparameters.audioContext,
    }
    return { name: required.name, shape: [...required.shape], kind: required.kind, parts: [part] }
  })
  await refuseTheRest(
    checkpoint,
    new Set(located.map((tensor) => tensor.name)),
    hyperparameters.melBins,
    pacer,
  )
  const typed = typedTensors(located)
  const vocabulary = await checkpoint.vocabulary.read(hyperparameters.vocabularySize)
  if (checkpoint.vocabulary.note !== undefined) notes.push(checkpoint.vocabulary.note)
  return {
    format,
    dialect,
    hyperparameters,
    melFilters: melFilterBank(hyperparameters.melBins),
    vocabulary,
    ...typed,
    sources,
    conversions: [...notes, ...typed.conversions],
  }
}

function refuseAdapters({ tensors, name }: Checkpoint): void {
  const adapter = [...tensors.keys()].find((key) => /\blora_|^base_model\./.test(key))
  if (adapter === undefined) return
  throw unsupported(name, `it is an adapter (${quote(adapter)}), which changes another model`, [
    'Merge the adapter into its model first: merge_and_unload() of the Python package peft',
  ])
}

function hyperparametersOf(checkpoint: Checkpoint): Hyperparameters {
  const { tensors, config, name } = checkpoint
  const size = (tensor: string, axis: number | 'all') => {
    const found = tensors.get(tensor)
    if (found === undefined) throw missing(checkpoint, tensor)
    return axis === 'all' ? elementsOf(found) : (found.shape[axis] ?? 0)
  }
  refuseTorchOrder(checkpoint)
  // Kernels may be stored flat: sizes come from tensors that are not.
  const audioState = size('encoder.ln_post.weight', 0)
  const textState = size(EMBEDDING, 0)
  const derived: Hyperparameters = {
    vocabularySize: size(EMBEDDING, 1),
    audioContext: tensors.get(ENCODER_POSITIONS)?.shape[1] ?? config.audioContext ?? 1500,
    audioState,
    audioHeads: config.audioHeads ?? audioState / HEAD_WIDTH,
    audioLayers: layersOf(checkpoint, 'encoder'),
    textContext: size('decoder.positional_embedding', 1),
    textState,
    textHeads: config.textHeads ?? textState / HEAD_WIDTH,
    textLayers: layersOf(checkpoint, 'decoder'),
    melBins: size('encoder.conv1.weight', 'all') / (KERNEL * audioState),
  }
  for (const [key, value] of Object.entries(config)) {
    const found = derived[key as keyof Hyperparameters]
    if (value === undefined || value === found) continue
    throw corrupt(name, `it says that ${key} is ${value}, and its tensors say ${found}`)
  }
  return derived
}

/** Some writers of GGUF do not reverse the dimensions. The data are the same, the names of the axes are not. */
function refuseTorchOrder({ tensors, name }: Checkpoint): void {
  const shape = tensors.get('encoder.conv2.weight')?.shape ?? []
  if (shape.length !== 3 || shape[0] === KERNEL || shape[2] !== KERNEL) return
  throw unsupported(
    name,
    `the dimensions of its tensors are in the order of PyTorch: encoder.conv2.weight has shape [${shape}]`,
    ['Convert the checkpoint again with a converter that reverses them, such as whisper-hip convert'],
  )
}

function elementsOf({ shape }: StoredTensor): number {
  return shape.reduce((product, size) => product * size, 1)
}

function missing({ tensors, name }: Checkpoint, tensor: string): Error {
  const hasDecoder = [...tensors.keys()].some((key) => key.startsWith('decoder.'))
  const hasEncoder = [...tensors.keys()].some((key) => key.startsWith('encoder.'))
  if (hasEncoder && !hasDecoder)
    return unsupported(name, 'it is only the encoder of a Whisper model, which cannot transcribe')
  if (!hasEncoder && !hasDecoder) return unsupported(name, 'its tensors are not those of a Whisper model')
  return corrupt(name, `tensor ${tensor} is missing`)
}

function layersOf({ tensors }: Checkpoint, part: 'encoder' | 'decoder'): number {
  let layers = 0
  for (const name of tensors.keys()) {
    const layer = new RegExp(`^${part}\\.blocks\\.(\\d{1,4})\\.`).exec(name)?.[1]
    if (layer !== undefined) layers = Math.max(layers, Number(layer) + 1)
  }
  return layers
}

/** A vocabulary of 51865 or 51866 tokens may be a smaller one with tokens added: what the special tokens tell goes before the number. */
async function originalVocabularySize(
  { vocabularySize, melBins }: Hyperparameters,
  { vocabulary }: Checkpoint,
): Promise<number> {
  const original = await vocabulary.originalSize()
  if (original !== null && original <= vocabularySize) return original
  const largest = melBins === 128 ? 51866 : 51865
  return vocabularySize > 51866 ? largest : vocabularySize
}

function locate(
  required: RequiredTensor,
  tensor: StoredTensor,
  stored: Hyperparameters,
  file: string,
): LocatedTensor {
  const { name, shape, kind } = required
  // The embedding of an enlarged vocabulary has more rows than are used.
  const expected = name === EMBEDDING ? [shape[0], stored.vocabularySize] : shape
  const isFlat = kind === 'convolution' && isFlattened(tensor.shape, shape)
  if (!isFlat && !isSameShape(tensor.shape, expected as number[])) {
    throw corrupt(file, `tensor ${name} has shape [${tensor.shape}], where [${expected}] is needed`)
  }
  const [length, ...others] = shape as [number, ...number[]]
  const { block } = typeLayout(tensor.type)
  const columns = tensor.shape[0] as number
  if (columns % block !== 0) {
    throw corrupt(
      file,
      `the rows of tensor ${name} have ${columns} values, which ${typeName(tensor.type)} cannot store`,
    )
  }
  const { source, offset, type, scale, strides } = tensor
  const rows = others.reduce((product, size) => product * size, 1)
  if (strides !== undefined && strides.length !== shape.length)
    throw corrupt(file, `tensor ${name} has shape [${tensor.shape}], where [${shape}] is needed`)
  if (strides !== undefined && rows * rowBytes(type, length) > MAX_STRIDED_BYTES) {
    throw unsupported(file, `tensor ${name} is stored in another order and larger than 64 MiB`)
  }
  const part: TensorPart = { source, offset, type, rows }
  if (block > 1 && columns !== length) {
    part.columns = columns
    part.rows = (rows * length) / columns
  }
  if (scale !== undefined) part.scale = scale
  if (strides !== undefined) part.strides = strides
  return { name, shape: [...shape], kind, parts: [part] }
}

/** Dimensions of size 1 do not count: the bias of a convolution is [1, n] in whisper.cpp and [n] elsewhere. */
function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  const significant = (shape: readonly number[]) => shape.filter((size) => size !== 1).join()
  return significant(a) === significant(b)
}

/** Whether the dimensions are those of `shape` with neighbours put together, as quantisers of matrices have kernels. */
function isFlattened(stored: readonly number[], shape: readonly number[]): boolean {
  const left = [...shape]
  const fits = stored.every((size) => {
    let product = 1
    while (product < size && left.length > 0) product *= left.shift() as number
    return product === size
  })
  return fits && left.length === 0
}

async function refuseTheRest(
  checkpoint: Checkpoint,
  used: ReadonlySet<string>,
  melBins: number,
  pacer: Pacer,
): Promise<void> {
  const { tensors, name } = checkpoint
  const unknown: string[] = []
  for (const [key, tensor] of tensors) {
    if (used.has(key) || key === WINDOW) continue
    if (key === FILTERS) await requireFilters(checkpoint, tensor, melBins)
    else if (key === HEAD) await requireTied(checkpoint, tensor, pacer)
    else if (used.has(key.replace(/\.key\.bias$/, '.key.weight'))) await requireZero(checkpoint, key, tensor)
    else unknown.push(key)
  }
  if (unknown.length === 0) return
  const some = unknown.slice(0, 3).map(quote).join(', ')
  throw unsupported(name, `${unknown.length} of its tensors are not part of Whisper, ${some} among them`)
}

/** The output head of Whisper is its embedding: some files store it twice. */
async function requireTied(checkpoint: Checkpoint, head: StoredTensor, pacer: Pacer): Promise<void> {
  const embedding = checkpoint.tensors.get(EMBEDDING) as StoredTensor
  const isSamePlace = head.source === embedding.source && head.offset === embedding.offset
  if (isSamePlace && head.type === embedding.type) return
  if (head.type === embedding.type && isSameShape(head.shape, embedding.shape)) {
    const compare = head.strides === undefined ? isEqual : isTransposed
    if (await compare(checkpoint.sources, head, embedding, pacer)) return
  }
  throw unsupported(checkpoint.name, 'its output projection is not its embedding (untied output head)')
}

async function isEqual(
  sources: readonly ByteSource[],
  a: StoredTensor,
  b: StoredTensor,
  pacer: Pacer,
): Promise<boolean> {
  const bytes = bytesOf(a)
  for (let done = 0; done < bytes; done += COMPARED_AT_ONCE) {
    const length = Math.min(COMPARED_AT_ONCE, bytes - done)
    const [left, right] = await Promise.all(
      [a, b].map((tensor) => (sources[tensor.source] as ByteSource).read(tensor.offset + done, length)),
    )
    if (Buffer.compare(left as Uint8Array, right as Uint8Array) !== 0) return false
    if (pacer.due) await pacer.turn()
  }
  return true
}

async function requireFilters(
  { sources, name }: Checkpoint,
  tensor: StoredTensor,
  melBins: number,
): Promise<void> {
  const source = sources[tensor.source] as ByteSource
  const problem = await filterProblem(tensor, source, melBins)
  if (problem !== undefined) throw unsupported(name, `its mel filters are not those of Whisper: ${problem}`)
}

async function requireZero({ sources, name }: Checkpoint, key: string, tensor: StoredTensor): Promise<void> {
  const isFloat = [GgmlType.F32, GgmlType.F16, GgmlType.BF16].some((type) => type === tensor.type)
  const width = typeLayout(tensor.type).bytes
  const bias = await (sources[tensor.source] as ByteSource).read(
    tensor.offset,
    Math.min(bytesOf(tensor), 1 << 16),
  )
  // The sign of a zero is the highest bit of a number's last byte.
  const isZero = bias.every((byte, i) => (i % width === width - 1 ? byte & 0x7f : byte) === 0)
  if (!isFloat || !isZero)
    throw unsupported(name, `${key} is a bias for keys, which whisper.cpp does not know`)
}

function bytesOf({ type, shape }: StoredTensor): number {
  const [length, ...others] = shape as [number, ...number[]]
  return others.reduce((product, size) => product * size, rowBytes(type, length))
}
