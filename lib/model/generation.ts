import { readCompanion } from './companions.ts'
import { corrupt } from './failures.ts'

/** What a checkpoint advises for decoding; kept when it is converted. */
export interface GenerationAdvice {
  /** Pairs of layer and head of the decoder, one after the other, whose attention follows time. */
  alignmentHeads?: number[]
  suppressTokens?: number[]
  beginSuppressTokens?: number[]
  /** Whether it was trained for more than English. */
  isMultilingual?: boolean
  /** ISO codes. */
  languages?: string[]
  translates?: boolean
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
    addAbilities(advice, config)
    if (suppressed) advice.suppressTokens ??= suppressed
    if (beginSuppressed) advice.beginSuppressTokens ??= beginSuppressed
  }
  return advice
}

/** What transformers keep for the choice of language and task. */
function addAbilities(advice: GenerationAdvice, config: Record<string, unknown>): void {
  const { is_multilingual: isMultilingual, lang_to_id: languages, task_to_id: tasks } = config
  if (typeof isMultilingual === 'boolean') advice.isMultilingual ??= isMultilingual
  if (typeof languages === 'object' && languages !== null) {
    const codes = Object.keys(languages).map((token) => token.replace(/^<\|(\w+)\|>$/, '$1'))
    if (codes.length > 0) advice.languages ??= codes
  }
  if (typeof tasks === 'object' && tasks !== null) advice.translates ??= 'translate' in tasks
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
