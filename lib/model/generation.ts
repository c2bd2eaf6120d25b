import { readCompanion } from './companions.ts'
import { corrupt } from './failures.ts'

/** What a checkpoint advises for decoding; kept when it is converted. */
export interface GenerationAdvice {
  /** Pairs of layer and head of the decoder, one after the other, whose attention follows time. */
  alignmentHeads?: number[]
  suppressTokens?: number[]
  beginSuppressTokens?: number[]
}

const MAX_FILE = 1 << 20
const MAX_NUMBERS = 4096

/** Files and the names that they have for it: of Hugging Face, of CTranslate2. */
const FILES = [
  ['generation_config.json', 'suppress_tokens', 'begin_suppress_tokens'],
  ['config.json', 'suppress_ids', 'suppress_ids_begin'],
] as const

/**
 * Reads the advice that lies beside a model.
 * @param folder `null` when the model came as bytes
 * @throws WhisperHipError `ERR_MODEL_CORRUPT` when a file is no JSON or a list is none of numbers
 */
export async function readGeneration(folder: string | null): Promise<GenerationAdvice> {
  const advice: GenerationAdvice = {}
  if (folder === null) return advice
  for (const [file, suppress, beginSuppress] of FILES) {
    const companion = await readCompanion(folder, file, MAX_FILE)
    if (companion === undefined) continue
    const { path } = companion
    const config = parse(companion.bytes, path)
    const heads = numbersOf(config, 'alignment_heads', path)
    const suppressed = numbersOf(config, suppress, path)
    const beginSuppressed = numbersOf(config, beginSuppress, path)
    if (heads) advice.alignmentHeads ??= heads
    if (suppressed) advice.suppressTokens ??= suppressed
    if (beginSuppressed) advice.beginSuppressTokens ??= beginSuppressed
  }
  return advice
}

function parse(bytes: Uint8Array, path: string): Record<string, unknown> {
  try {
    const config: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (typeof config === 'object' && config !== null) return config as Record<string, unknown>
  } catch (cause) {
    throw corrupt(path, 'it is not JSON', cause)
  }
  throw corrupt(path, 'it is JSON, but not an object')
}

/** A list of integers, or of pairs of them. */
function numbersOf(config: Record<string, unknown>, key: string, path: string): number[] | undefined {
  const value = config[key]
  if (value === undefined || value === null) return undefined
  const flat = Array.isArray(value) ? value.flat() : [Number.NaN]
  const isSound = flat.every((number) => Number.isInteger(number) && number >= -1 && number < 65_536)
  if (isSound && flat.length <= MAX_NUMBERS) return flat
  throw corrupt(path, `${key} is no list of small integers`)
}
