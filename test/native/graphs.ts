import { once } from 'node:events'
import { addon } from '../../lib/backend/addon.ts'
import type { LoadOptions, Model, TranscribeOptions } from '../../lib/index.ts'
import { typeName } from '../../lib/model/ggml-types.ts'
import { GgmlType } from '../../lib/model/plan.ts'
import { buildGgml, type GgmlOptions } from '../fixtures/ggml-builder.ts'
import { hum, speaking, withModel } from './support.ts'

/** Two heads at least, as all models have: with one, some tensors have no layout of their own. */
const SIZE = { state: 256, heads: 4, layers: 1, audioContext: 64 } as const
/** All that weights may be loaded in. */
export const weightTypes = Object.values(GgmlType)

/** The signatures of what is computed for a model: see `recordOperations()` of the addon. */
export async function operationsOf(
  bytes: Uint8Array,
  work: (model: Model) => Promise<unknown>,
  options: LoadOptions = {},
): Promise<string[]> {
  const { native } = addon()
  native.recordOperations(true)
  try {
    await withModel(bytes, work, options)
  } finally {
    native.recordOperations(false)
  }
  return native.recordOperations(false)
}

/** With the fused kernels for attention and without. */
async function bothWays(
  bytes: Uint8Array,
  work: (model: Model) => Promise<unknown>,
  options: LoadOptions,
): Promise<string[]> {
  const fused = await operationsOf(bytes, work, { ...options, flashAttention: true })
  return [...fused, ...(await operationsOf(bytes, work, { ...options, flashAttention: false }))]
}

export const short = { language: 'en', temperature: 0, maxTokens: 4, beamSize: 1 } satisfies TranscribeOptions
/** So that the prompt has few tokens, some, and many: a letter is at least a token. */
const prompts = ['', 'abcdefg', 'What a prompt this is, of so many letters.']

async function transcribeInAllWays(model: Model): Promise<void> {
  for (const beamSize of [1, 5, 8]) await model.transcribe(hum(1), { ...short, beamSize })
  for (const initialPrompt of prompts) await model.transcribe(hum(1), { ...short, initialPrompt })
  await model.detectLanguage(hum(1))
}

async function streamLive(model: Model): Promise<void> {
  const live = model.stream({ language: 'en', vad: false })
  live.on('data', () => {})
  live.write(Buffer.from(Int16Array.from(hum(3), (sample) => 32_767 * sample).buffer))
  await live.finish()
  if (!live.closed) await once(live, 'close')
}

const letters = (count: number) => [{ text: ' '.padEnd(count, 'la '), start: 0, end: 2 }]
/** The pass that finds the times of words has as many columns as there are tokens. */
const words = (model: Model) => model.transcribe(hum(3), { ...short, maxTokens: 100, timestamps: 'word' })

/** Types that become f16 in memory unless they are asked for. */
const keeping = (type: GgmlType): LoadOptions =>
  type === GgmlType.F32 || type === GgmlType.BF16
    ? { weightType: type === GgmlType.F32 ? 'f32' : 'bf16' }
    : {}

const tiny = (options: GgmlOptions) => buildGgml({ ...SIZE, multilingual: true, ...options })
const says = (count: number, options: Partial<typeof SIZE> | object = {}) =>
  speaking({ ...SIZE, ...options, script: letters(count) })

const sideBySide = (model: Model) => model.transcribe(hum(3), { language: 'en', bestOf: 8, temperature: 1 })
/** What is asked for at the same time is computed together. */
const together = (model: Model) =>
  Promise.all([1, 5, 5, 8].map((beamSize) => model.transcribe(hum(3), { language: 'en', beamSize })))

type Kind = (options: LoadOptions) => Promise<string[]>

/** Models and jobs, small as they are, that together have all graphs of this library; what each computes with these options. */
export const GRAPHS: Readonly<Record<string, Kind>> = {
  ...Object.fromEntries(
    weightTypes.map((type): [string, Kind] => [
      `weights in ${typeName(type)}`,
      (options) => bothWays(tiny({ type }), transcribeInAllWays, { ...options, ...keeping(type) }),
    ]),
  ),
  'words of few letters': (options) => bothWays(says(1), words, options),
  'words of some letters': (options) => bothWays(says(6), words, options),
  'words of many letters': (options) => bothWays(says(40), words, options),
  'live audio': (options) => bothWays(says(12), streamLive, options),
  'windows of 30 s': (options) => bothWays(says(4, { audioContext: 1500 }), words, options),
  'long texts side by side': (options) => bothWays(says(200), sideBySide, options),
  'windows side by side': (options) => bothWays(says(12), together, options),
  'wide models': (options) => bothWays(says(4, { state: 1024, heads: 16 }), words, options),
}
