import type { Pacer } from '../../pacer.ts'
import { readCompanion } from '../companions.ts'
import { type LocatedTensor, typedTensors } from '../conversions.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import { rowBytes } from '../ggml-types.ts'
import { requirePlausible, requireSupported } from '../hyperparameters.ts'
import { melFilterBank } from '../mel.ts'
import {
  FileOnlyType,
  GgmlType,
  type Hyperparameters,
  type LoadPlan,
  type StoredType,
  type TensorPart,
} from '../plan.ts'
import { type RequiredTensor, requiredTensors } from '../required-tensors.ts'
import type { ByteSource } from '../source.ts'
import { type Container, readContainer, type Variable, type VariableType } from './ctranslate2-container.ts'
import { keyBiases, type Place, placeOf } from './ctranslate2-names.ts'
import { quantizationOf, requireScales, scaleName, scaleOf } from './ctranslate2-scales.ts'
import { readCompanionVocabulary } from './ctranslate2-vocabulary.ts'
import { STANDARD_NOTE, standardVocabulary } from './standard-vocabulary.ts'

/** Variables of other types have been refused before these are looked up. */
const STORED_TYPES: Readonly<Record<Exclude<VariableType, 'i32'>, StoredType>> = {
  f32: GgmlType.F32,
  f16: GgmlType.F16,
  bf16: GgmlType.BF16,
  i8: FileOnlyType.I8,
  i16: FileOnlyType.I16,
}

function storedType({ type }: Variable): StoredType {
  return STORED_TYPES[type as keyof typeof STORED_TYPES]
}

/** Largest config.json that is looked at, in bytes. */
const MAX_CONFIG = 1 << 20

/**
 * Reads a model in CTranslate2's format (faster-whisper): `model.bin` with the vocabulary beside it, in all of its quantisations but AWQ.
 *
 * Weights become f16, whichever float type they have, and q8_0 from int8; biases, norms and positions become f32, as whisper.cpp wants
 * them. Query, key and value are fused in the file and are taken apart by rows, with their scales; the biases of keys, which Whisper does
 * not have, must be zero there.
 *
 * @param folder where the vocabulary is, or `null` when the model came as bytes
 * @throws WhisperHipError `ERR_MODEL_CORRUPT` or `ERR_MODEL_UNSUPPORTED`
 */
export async function readCTranslate2(
  source: ByteSource,
  folder: string | null,
  pacer: Pacer,
): Promise<LoadPlan> {
  const container = await readContainer(source, pacer)
  const quantization = quantizationOf(container, source.name)
  const hyperparameters = hyperparametersOf(container, source.name)
  requirePlausible(hyperparameters, source.name)

  const required = requiredTensors(hyperparameters)
  const located = required.map((tensor) => locate(tensor, container, source.name))
  requireNothingElse(container, located, source.name)
  await requireScales(container, source, pacer)
  await requireZeroKeyBiases(hyperparameters, container, source, pacer)
  requireSupported(hyperparameters, source.name)

  if (folder !== null) await refuseQuantizedConfig(folder)
  const { vocabularySize } = hyperparameters
  const beside = folder === null ? undefined : await readCompanionVocabulary(folder, vocabularySize, pacer)
  const typed = typedTensors(located.map((tensor) => locatedTensor(tensor, container)))
  return {
    format: 'ctranslate2',
    dialect: `binary version ${container.binaryVersion}, ${quantization}`,
    hyperparameters,
    melFilters: melFilterBank(hyperparameters.melBins),
    vocabulary: beside ?? (await standardVocabulary(vocabularySize, source.name, pacer).read(vocabularySize)),
    ...typed,
    sources: [source],
    conversions: beside === undefined ? [STANDARD_NOTE, ...typed.conversions] : typed.conversions,
  }
}

/** A required tensor, the variable that holds it, and the slice of its rows. */
interface Located {
  tensor: RequiredTensor
  place: Place
  variable: Variable
}

function hyperparametersOf(container: Container, name: string): Hyperparameters {
  const size = (variable: string, axis: number) =>
    container.variables.get(variable)?.shape[axis] ?? missing(variable, name)
  const heads = (variable: string) => container.variables.get(variable)?.value ?? missing(variable, name)
  return {
    vocabularySize: size('decoder/embeddings/weight', 0),
    audioContext: size('encoder/position_encodings/encodings', 0),
    audioState: size('encoder/conv1/weight', 0),
    audioHeads: heads('encoder/num_heads'),
    audioLayers: layersOf(container, 'encoder'),
    textContext: size('decoder/position_encodings/encodings', 0),
    textState: size('decoder/embeddings/weight', 1),
    textHeads: heads('decoder/num_heads'),
    textLayers: layersOf(container, 'decoder'),
    melBins: size('encoder/conv1/weight', 1),
  }
}

function missing(variable: string, name: string): never {
  throw corrupt(name, `variable ${variable} is missing`)
}

function layersOf({ variables }: Container, part: 'encoder' | 'decoder'): number {
  let layers = 0
  for (const name of variables.keys()) {
    const number = new RegExp(`^${part}/layer_(\\d{1,4})/`).exec(name)?.[1]
    if (number !== undefined) layers = Math.max(layers, Number(number) + 1)
  }
  return layers
}

function locate(tensor: RequiredTensor, { variables }: Container, name: string): Located {
  const place = placeOf(tensor.name)
  const variable = variables.get(place.variable) ?? missing(place.variable, name)
  // The bias of a convolution is [1, n] in ggml and [n] here.
  const shape = (tensor.shape[0] === 1 ? tensor.shape.slice(1) : tensor.shape).toReversed()
  shape[0] = (shape[0] as number) * place.slices
  if (variable.shape.length !== shape.length || shape.some((size, axis) => variable.shape[axis] !== size)) {
    throw corrupt(
      name,
      `variable ${place.variable} has shape [${variable.shape}], where [${shape}] is needed`,
    )
  }
  return { tensor, place, variable }
}

/** Scalars that describe the architecture, and the values that Whisper has; `null` = any. All others must be 0 (off). */
const SCALARS: ReadonlyMap<string, readonly number[] | null> = new Map([
  ['encoder/num_heads', null],
  ['decoder/num_heads', null],
  ['decoder/alignment_heads', null],
  ['decoder/alignment_layer', null],
  ['decoder/pre_norm', [1]],
  // GELU, in its exact form and approximated by tanh.
  ['decoder/activation', [1, 3]],
])
const OFF = [0]

/** Whatever is in the file beside Whisper's tensors would change the result, and is not understood. */
function requireNothingElse({ variables }: Container, located: readonly Located[], name: string): void {
  const projection = variables.get('decoder/projection/weight') ?? missing('decoder/projection/weight', name)
  if (projection !== variables.get('decoder/embeddings/weight')) {
    throw unsupported(name, 'its output projection is not its embedding (untied output head)')
  }
  const known = new Set(located.map(({ place }) => place.variable)).add('decoder/projection/weight')
  for (const name of [...known].filter((name) => isQuantized(variables.get(name)))) known.add(scaleName(name))
  for (const [variable, { shape, value }] of variables) {
    if (known.has(variable)) continue
    if (shape.length > 0) throw unsupported(name, `variable ${quote(variable)} is not part of Whisper`)
    const allowed = SCALARS.has(variable) ? SCALARS.get(variable) : OFF
    if (allowed && !allowed.includes(value ?? Number.NaN)) {
      throw unsupported(name, `${quote(variable)} is ${value}, where Whisper has ${allowed.join(' or ')}`)
    }
  }
}

function isQuantized(variable: Variable | undefined): boolean {
  return variable?.type === 'i8' || variable?.type === 'i16'
}

async function requireZeroKeyBiases(
  hyperparameters: Hyperparameters,
  { variables }: Container,
  source: ByteSource,
  pacer: Pacer,
): Promise<void> {
  const state = hyperparameters.audioState
  for (const { variable, slice } of keyBiases(hyperparameters)) {
    if (pacer.due) await pacer.turn()
    const stored = variables.get(variable) as Variable
    const bytes = rowBytes(storedType(stored), state)
    const bias = await source.read(stored.offset + slice * bytes, bytes)
    // The sign of a zero is the highest bit of a number's last byte, in each of the types.
    const width = bytes / state
    if (bias.some((byte, i) => (i % width === width - 1 ? byte & 0x7f : byte) !== 0)) {
      throw unsupported(source.name, `${variable} has a bias for keys, which whisper.cpp does not know`)
    }
  }
}

async function refuseQuantizedConfig(folder: string): Promise<void> {
  const config = await readCompanion(folder, 'config.json', MAX_CONFIG)
  if (config === undefined) return
  const quantization = parseConfig(config.bytes, config.path)
  if (!quantization) return
  const name = typeof quantization === 'number' ? quantization : `of type ${typeof quantization}`
  throw unsupported(folder, `config.json says quantization_type ${name}`, [
    'Convert the checkpoint with ct2-transformers-converter --quantization float16',
  ])
}

function parseConfig(bytes: Uint8Array, path: string): unknown {
  try {
    const config: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return (config as { quantization_type?: unknown } | null)?.quantization_type
  } catch (cause) {
    throw corrupt(path, 'it is not JSON', cause)
  }
}

function locatedTensor({ tensor, place, variable }: Located, container: Container): LocatedTensor {
  const type = storedType(variable)
  const [length, ...others] = tensor.shape as [number, ...number[]]
  const rows = others.reduce((product, size) => product * size, 1)
  const offset = variable.offset + place.slice * rows * rowBytes(type, length)
  const part: TensorPart = { source: 0, offset, type, rows }
  const scale = scaleOf(container, variable, place.slice, place.slices)
  if (scale !== undefined) part.scale = scale
  return { name: tensor.name, shape: [...tensor.shape], kind: tensor.kind, parts: [part] }
}
