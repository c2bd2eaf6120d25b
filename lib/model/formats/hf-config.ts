import { TextDecoder } from 'node:util'
import { readCompanion } from '../companions.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import type { Hyperparameters } from '../plan.ts'

/** Largest config.json that is looked at, in bytes; real ones have up to 10,000. */
const MAX_CONFIG = 1 << 18

/** Where config.json has a hyperparameter. `max_length` is no shape: it limits generation. */
const FIELDS: readonly [field: string, keys: readonly (keyof Hyperparameters)[]][] = [
  ['vocab_size', ['vocabularySize']],
  ['max_source_positions', ['audioContext']],
  ['d_model', ['audioState', 'textState']],
  ['encoder_attention_heads', ['audioHeads']],
  ['encoder_layers', ['audioLayers']],
  ['max_target_positions', ['textContext']],
  ['decoder_attention_heads', ['textHeads']],
  ['decoder_layers', ['textLayers']],
  ['num_mel_bins', ['melBins']],
]

/** Forms of the activation of Whisper; whisper.cpp computes it by tanh. */
const ACTIVATIONS: readonly unknown[] = ['gelu', 'gelu_new', 'gelu_pytorch_tanh']

type Config = Readonly<Record<string, unknown>>

/**
 * Reads what the `config.json` of Hugging Face's transformers says of a Whisper model, and refuses what whisper.cpp cannot compute.
 *
 * @param folder `null` when the model came as bytes
 * @returns `{}` when there is no such file
 * @throws WhisperHipError `ERR_MODEL_CORRUPT` when it is damaged, `ERR_MODEL_UNSUPPORTED` for another architecture
 */
export async function readHuggingFaceConfig(
  folder: string | null,
  file = 'config.json',
): Promise<Partial<Hyperparameters>> {
  if (folder === null) return {}
  const companion = await readCompanion(folder, file, MAX_CONFIG)
  if (companion === undefined) return {}
  const { path } = companion
  const config = parse(companion.bytes, path)
  refuseOthers(config, path)
  const parameters: Partial<Hyperparameters> = {}
  for (const [field, keys] of FIELDS) {
    const value = config[field]
    if (value === undefined || value === null) continue
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 1e6)
      throw corrupt(path, `${field} is ${show(value)}, where a positive integer is needed`)
    for (const key of keys) parameters[key] = value
  }
  requireFeedForward(config, path)
  return parameters
}

function parse(bytes: Uint8Array, path: string): Config {
  let config: unknown
  try {
    config = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw corrupt(path, 'it is not JSON', cause)
  }
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) return config as Config
  throw corrupt(path, 'it is JSON, but not an object')
}

function refuseOthers(config: Config, path: string): void {
  const { model_type, activation_function, scale_embedding, quantization_config } = config
  if (model_type !== undefined && model_type !== 'whisper')
    throw unsupported(path, `model_type is ${show(model_type)}, where "whisper" is needed`)
  if (activation_function !== undefined && !ACTIVATIONS.includes(activation_function))
    throw unsupported(path, `activation_function is ${show(activation_function)}, where Whisper has "gelu"`)
  if (scale_embedding !== undefined && scale_embedding !== false)
    throw unsupported(path, `scale_embedding is ${show(scale_embedding)}, where Whisper has false`)
  if (quantization_config !== undefined && quantization_config !== null) {
    throw unsupported(path, 'it has a quantization_config: its weights are quantised by another library', [
      'Use the float weights from which they were made; the option weightType quantises while loading',
    ])
  }
}

function requireFeedForward(config: Config, path: string): void {
  const { d_model } = config
  if (typeof d_model !== 'number') return
  for (const field of ['encoder_ffn_dim', 'decoder_ffn_dim']) {
    const value = config[field]
    if (value === undefined || value === 4 * d_model) continue
    throw unsupported(
      path,
      `${field} is ${show(value)}, where whisper.cpp has 4 times d_model: ${4 * d_model}`,
    )
  }
}

/** A value as it is written, but for lists and objects, which may go on without end. */
function show(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value !== 'object' || value === null) return String(value)
  return Array.isArray(value) ? 'a list' : 'an object'
}
