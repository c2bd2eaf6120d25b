import { corrupt, quote, unsupported } from '../failures.ts'
import type { Hyperparameters, ModelLabels } from '../plan.ts'
import { type GgufValue, VALUE_TYPE } from './gguf-values.ts'

export type Metadata = ReadonlyMap<string, GgufValue>

/** Prefixes of the keys of an encoder and a decoder: of the specification of GGUF, of transcribe.cpp, of others. */
const ENCODER = ['whisper.encoder.', 'stt.whisper.encoder.', 'whisper.audio.', 'whisper.', 'vokra.whisper.']
const DECODER = ['whisper.decoder.', 'stt.whisper.decoder.', 'whisper.text.', 'whisper.', 'vokra.whisper.']

/** The names that a hyperparameter goes by, best first. */
const NAMES: readonly [keyof Hyperparameters, prefixes: readonly string[], names: readonly string[]][] = [
  ['vocabularySize', [...DECODER, 'whisper.encoder.'], ['vocab_size', 'n_vocab']],
  ['audioContext', ENCODER, ['context_length', 'max_source_positions', 'n_audio_ctx', 'n_ctx']],
  ['audioState', ENCODER, ['embedding_length', 'd_model', 'n_audio_state', 'n_state']],
  ['audioHeads', ENCODER, ['attention.head_count', 'n_heads', 'n_audio_head', 'n_head']],
  ['audioLayers', ENCODER, ['block_count', 'n_layers', 'n_audio_layer', 'n_layer']],
  ['textContext', DECODER, ['context_length', 'max_target_positions', 'n_text_ctx', 'n_ctx']],
  ['textState', DECODER, ['embedding_length', 'd_model', 'n_text_state', 'n_state']],
  ['textHeads', DECODER, ['attention.head_count', 'n_heads', 'n_text_head', 'n_head']],
  ['textLayers', DECODER, ['block_count', 'n_layers', 'n_text_layer', 'n_layer']],
  ['melBins', ENCODER, ['mels_count', 'num_mel_bins', 'n_mels']],
]

const INTEGERS: ReadonlySet<number> = new Set([
  VALUE_TYPE.u8,
  VALUE_TYPE.i8,
  VALUE_TYPE.u16,
  VALUE_TYPE.i16,
  VALUE_TYPE.u32,
  VALUE_TYPE.i32,
  VALUE_TYPE.u64,
  VALUE_TYPE.i64,
])

/** The hyperparameters that a file states, under whichever names. */
export function statedParameters(metadata: Metadata, file: string): Partial<Hyperparameters> {
  const parameters: Partial<Hyperparameters> = {}
  for (const [parameter, prefixes, names] of NAMES) {
    const keys = prefixes.flatMap((prefix) => names.map((name) => prefix + name))
    const key = keys.find((candidate) => metadata.has(candidate))
    if (key !== undefined) parameters[parameter] = integerOf(metadata, key, file)
  }
  return parameters
}

function integerOf(metadata: Metadata, key: string, file: string): number {
  const { type, value } = metadata.get(key) as GgufValue
  if (INTEGERS.has(type) && typeof value === 'number' && value >= 1 && value <= 1e6) return value
  throw corrupt(file, `${key} is ${show(value)}, where a positive integer is needed`)
}

/** What Whisper has of the things that other architectures have otherwise. */
const FIXED: readonly [key: string, values: readonly unknown[]][] = [
  ['stt.whisper.encoder.activation', ['gelu']],
  ['stt.whisper.decoder.activation', ['gelu']],
  ['stt.whisper.decoder.tie_word_embeddings', [true]],
  ['stt.whisper.decoder.scale_embedding', [false]],
]

/**
 * Refuses what the metadata show to be something else than a whole Whisper model.
 * @throws WhisperHipError `ERR_MODEL_UNSUPPORTED`
 */
export function refuseOthers(metadata: Metadata, file: string): void {
  const text = (key: string) => metadata.get(key)?.value
  const architecture = text('general.architecture')
  const type = text('general.type')
  if (type === 'adapter' || text('adapter.type') !== undefined) {
    throw unsupported(file, 'it is an adapter, which changes another model', [
      'Merge the adapter into its model, then convert that',
    ])
  }
  if (architecture === 'clip' || type === 'mmproj') {
    throw unsupported(file, 'it is the encoder of a multimodal model, which cannot transcribe alone')
  }
  if (architecture !== undefined && architecture !== 'whisper') {
    throw unsupported(
      file,
      `it is a GGUF file of the architecture ${show(architecture)}, where "whisper" is needed`,
    )
  }
  const splits = text('split.count')
  if (typeof splits === 'number' && splits > 1) {
    throw unsupported(file, `it is one of ${splits} parts of a split GGUF file`, [
      'Join them first: llama-gguf-split --merge',
    ])
  }
  for (const [key, allowed] of FIXED) {
    const value = text(key)
    if (value !== undefined && !allowed.includes(value))
      throw unsupported(file, `${key} is ${show(value)}, where Whisper has ${show(allowed[0])}`)
  }
}

/** Version of this library's own convention, docs/gguf.md. */
export const OWN_VERSION_KEY = 'whisper_hip.version'
export const OWN_VERSION = 1

/**
 * Whose convention the file follows, for people.
 * @throws WhisperHipError `ERR_MODEL_UNSUPPORTED` for a file of this library's future
 */
export function dialectOf(metadata: Metadata, tensors: readonly string[], file: string): string {
  const own = metadata.get(OWN_VERSION_KEY)?.value
  if (own !== undefined) {
    if (own === OWN_VERSION) return `whisper-hip ${own}`
    throw unsupported(
      file,
      `${OWN_VERSION_KEY} is ${show(own)}, where this version of the library knows ${OWN_VERSION}`,
    )
  }
  if ([...metadata.keys()].some((key) => key.startsWith('stt.whisper.'))) return 'transcribe.cpp'
  if (metadata.has('whisper.encoder.embedding_length')) return 'GGUF specification'
  const isHuggingFace = tensors.some((name) => name.includes('self_attn.q_proj'))
  return isHuggingFace ? 'candle' : 'other keys'
}

/** What is kept when the model is converted. */
export function labelsOf(metadata: Metadata): ModelLabels {
  const text = (key: string) => {
    const value = metadata.get(key)?.value
    return typeof value === 'string' ? value : undefined
  }
  const numbers = (...keys: string[]) => {
    const value = keys.map((key) => metadata.get(key)?.value).find(Array.isArray) as number[] | undefined
    return value?.every((number) => Number.isInteger(number)) ? value : undefined
  }
  const name = text('general.name')
  const license = text('general.license')
  const alignmentHeads = numbers('whisper.decoder.alignment_heads')
  const suppressTokens = numbers('whisper.suppress_tokens', 'stt.whisper.suppress_tokens')
  const beginSuppressTokens = numbers('whisper.begin_suppress_tokens', 'stt.whisper.begin_suppress_tokens')
  return {
    ...(name !== undefined && { name }),
    ...(license !== undefined && { license }),
    advice: {
      ...(alignmentHeads && { alignmentHeads }),
      ...(suppressTokens && { suppressTokens }),
      ...(beginSuppressTokens && { beginSuppressTokens }),
    },
  }
}

function show(value: unknown): string {
  return typeof value === 'string' ? quote(value) : quote(String(value)).slice(1, -1)
}
