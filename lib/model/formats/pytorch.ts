import { types } from 'node:util'
import type { Pacer } from '../../pacer.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import type { Hyperparameters } from '../plan.ts'
import type { ByteSource } from '../source.ts'
import type { FileTensor, TensorTable } from './tensor-table.ts'
import { type Member, TorchArchive } from './torch-archive.ts'
import { DICTIONARIES, GLOBALS, PARAMETERS, RECORDS, STORAGES, TENSOR } from './torch-names.ts'
import { Global, Opaque, unpickle } from './unpickler.ts'

/** Largest pickle that is read, in bytes: Whisper's largest model has 300,000. */
const MAX_PICKLE = 4 << 20
const MAX_RANK = 8
/** Most storages that are looked for: Whisper's largest model has 1259. */
const MAX_STORAGES = 4096
/** Largest tensor whose values may lie in another order: it is read as a whole. */
const MAX_STRIDED_BYTES = 64 << 20

/** Where checkpoints have the weights, beside other things of the training; the last one is DeepSpeed's. */
const STATE_KEYS = ['model_state_dict', 'state_dict', 'model', 'module'] as const

/** The dimensions in OpenAI's checkpoints. */
const DIMENSIONS: readonly [field: string, key: keyof Hyperparameters][] = [
  ['n_mels', 'melBins'],
  ['n_vocab', 'vocabularySize'],
  ['n_audio_ctx', 'audioContext'],
  ['n_audio_state', 'audioState'],
  ['n_audio_head', 'audioHeads'],
  ['n_audio_layer', 'audioLayers'],
  ['n_text_ctx', 'textContext'],
  ['n_text_state', 'textState'],
  ['n_text_head', 'textHeads'],
  ['n_text_layer', 'textLayers'],
]

/** Values of one type that lie in a member of the archive. */
class Storage {
  readonly kind: string
  readonly key: string
  readonly count: number

  constructor(kind: string, key: string, count: number) {
    this.kind = kind
    this.key = key
    this.count = count
  }
}

/** A look at a storage: sizes and strides in C order, in elements. */
class Tensor {
  readonly storage: Storage
  readonly start: number
  readonly sizes: readonly number[]
  readonly strides: readonly number[]

  constructor(storage: Storage, start: number, sizes: readonly number[], strides: readonly number[]) {
    this.storage = storage
    this.start = start
    this.sizes = sizes
    this.strides = strides
  }
}

/**
 * Reads the table of a file of `torch.save`: a `.pt` of OpenAI, a `pytorch_model.bin`, or a state dictionary of another training. The pickle in
 * it is read as data; no code of it is run.
 *
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, or `ERR_MODEL_UNSUPPORTED` for what is not a dictionary of float tensors
 */
export async function readPyTorch(source: ByteSource, pacer: Pacer): Promise<TensorTable> {
  const { name: file } = source
  const archive = await TorchArchive.open(source, pacer)
  if (archive.has('constants.pkl')) {
    throw unsupported(file, 'it is a TorchScript program, not a file of weights', [
      'Save its weights: torch.save(torch.jit.load(file).state_dict(), file)',
    ])
  }
  await requireLittleEndian(archive, source)
  const root = await unpickle(await readPickle(archive, source), file, meaningOf(file), pacer)
  if (!types.isMap(root)) throw unsupported(file, 'its pickle is not a dictionary of tensors')
  const state = STATE_KEYS.map((key) => root.get(key)).find((value) => types.isMap(value)) ?? root

  const members = new Map<string, Member>()
  const tensors = new Map<string, FileTensor>()
  for (const [name, value] of state as Map<unknown, unknown>) {
    if (pacer.due) await pacer.turn()
    if (typeof name !== 'string' || !(value instanceof Tensor))
      throw unsupported(file, `its entry ${quote(String(name))} is not a tensor`, [
        "Save only the weights, in a dictionary or under 'state_dict': torch.save(model.state_dict(), file)",
      ])
    const { key } = value.storage
    const member = members.get(key) ?? (await archive.member(`data/${key}`))
    if (member === undefined)
      throw corrupt(file, `the storage ${quote(key)} of tensor ${quote(name)} is missing`)
    members.set(key, member)
    if (members.size > MAX_STORAGES)
      throw corrupt(file, `its tensors are in more than ${MAX_STORAGES} storages`)
    tensors.set(name, place(value, member, name, file))
  }
  const dimensions = root.get('dims')
  return dimensions === undefined ? { tensors } : { tensors, dimensions: dimensionsOf(dimensions, file) }
}

async function readPickle(archive: TorchArchive, source: ByteSource): Promise<Uint8Array> {
  const member = await archive.member('data.pkl')
  if (member === undefined) throw corrupt(source.name, 'its member data.pkl is missing')
  if (member.size > MAX_PICKLE)
    throw unsupported(
      source.name,
      `its pickle has ${member.size} bytes, where at most ${MAX_PICKLE} are read`,
    )
  return await source.read(member.offset, member.size)
}

/** Written by recent versions alone. */
async function requireLittleEndian(archive: TorchArchive, source: ByteSource): Promise<void> {
  const member = await archive.member('byteorder')
  if (member === undefined) return
  const order = Buffer.from(await source.read(member.offset, Math.min(member.size, 16))).toString('latin1')
  if (order === 'little') return
  throw unsupported(source.name, `its byte order is ${quote(order)}, where little is supported`)
}

function meaningOf(file: string) {
  return {
    globals: GLOBALS,
    call(name: string, args: readonly unknown[]): unknown {
      if (DICTIONARIES.has(name) && args.every((arg) => arg instanceof Global)) return new Map()
      if (name === TENSOR) return tensorOf(args, file)
      if (PARAMETERS.has(name) && args[0] instanceof Tensor) return args[0]
      if (RECORDS.has(name)) return new Opaque()
      throw corrupt(file, `its pickle calls ${name} with arguments that it does not take`)
    },
    load(id: unknown): Storage {
      const [word, kind, key, , count] = Array.isArray(id) ? id : []
      const isStorage = word === 'storage' && kind instanceof Global && STORAGES.has(kind.name)
      if (!isStorage || typeof key !== 'string' || !isCount(count) || !/^\w{1,64}$/.test(key))
        throw corrupt(file, 'its pickle refers to something else than a storage')
      return new Storage(kind.name, key, count)
    },
  }
}

function tensorOf([storage, start, sizes, strides]: readonly unknown[], file: string): Tensor {
  const isShape = isCounts(sizes) && isCounts(strides) && sizes.length === strides.length
  if (!(storage instanceof Storage) || !isCount(start) || !isShape || sizes.length > MAX_RANK)
    throw corrupt(file, 'its pickle has a tensor without storage, sizes or strides')
  return new Tensor(storage, start, sizes, strides)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isCounts(values: unknown): values is number[] {
  return Array.isArray(values) && values.every(isCount)
}

/** Where the values of a tensor lie in the file. */
function place(
  { storage, start, sizes, strides }: Tensor,
  member: Member,
  name: string,
  file: string,
): FileTensor {
  const known = STORAGES.get(storage.kind)
  if (!known) {
    throw unsupported(
      file,
      `tensor ${quote(name)} is a ${storage.kind}, where float, half and bfloat16 are supported`,
    )
  }
  if (storage.count * known.bytes !== member.size) {
    throw corrupt(
      file,
      `the storage ${quote(storage.key)} has ${member.size} bytes, where its ${storage.count} values need ${storage.count * known.bytes}`,
    )
  }
  const elements = sizes.reduce((product, size) => product * size, 1)
  const last = sizes.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] as number), start)
  if (elements > 0 && !(last < storage.count))
    throw corrupt(file, `tensor ${quote(name)} does not lie in its storage`)
  const tensor = {
    offset: member.offset + start * known.bytes,
    type: known.type,
    shape: sizes.length === 0 ? [1] : sizes.toReversed(),
  }
  if (isInOrder(sizes, strides)) return tensor
  if (!isPermutation(sizes, strides) || elements * known.bytes > MAX_STRIDED_BYTES) {
    throw unsupported(file, `tensor ${quote(name)} is not contiguous`, [
      'Save it again with contiguous tensors: {name: tensor.contiguous() for name, tensor in state.items()}',
    ])
  }
  return { ...tensor, strides: strides.toReversed() }
}

/** Whether the values follow one another in C order; an axis of size 1 has any stride. */
function isInOrder(sizes: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    const size = sizes[axis] as number
    if (size !== 1 && strides[axis] !== expected) return false
    expected *= size
  }
  return true
}

/** Whether the values follow one another without gaps when the axes are taken in another order. */
function isPermutation(sizes: readonly number[], strides: readonly number[]): boolean {
  if (sizes.includes(1) || sizes.includes(0)) return false
  const axes = [...sizes.keys()].sort((a, b) => (strides[b] as number) - (strides[a] as number))
  const at = (list: readonly number[]) => axes.map((axis) => list[axis] as number)
  return isInOrder(at(sizes), at(strides))
}

function dimensionsOf(dimensions: unknown, file: string): Partial<Hyperparameters> {
  if (!types.isMap(dimensions) || [...dimensions.values()].some((value) => value instanceof Opaque)) {
    throw unsupported(file, 'its dims are not a dictionary of plain numbers', [
      'Save them as OpenAI does: {name: int(value) for name, value in vars(model.dims).items()}',
    ])
  }
  const parameters: Partial<Hyperparameters> = {}
  for (const [field, key] of DIMENSIONS) {
    const value = dimensions.get(field)
    if (value === undefined) continue
    if (!isCount(value)) throw corrupt(file, `${field} is not an integer`)
    parameters[key] = value
  }
  return parameters
}
