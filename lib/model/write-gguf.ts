import type { Pacer } from '../pacer.ts'
import { padded } from './byte-builder.ts'
import { unsupported } from './failures.ts'
import { type FileLayout, tensorBytes } from './file-layout.ts'
import { OWN_VERSION, OWN_VERSION_KEY } from './formats/gguf-parameters.ts'
import type { GenerationAdvice } from './generation.ts'
import { typeLayout } from './ggml-types.ts'
import { GgufTables } from './gguf-builder.ts'
import { melFilterBank, SPECTRUM_BINS } from './mel.ts'
import { describeModel } from './parameters.ts'
import { GgmlType, type LoadPlan, type ModelLabels } from './plan.ts'
import { huggingFaceName } from './tensor-names.ts'
import { encodeByteLevel, endOfText, specialTokens } from './tokenizer.ts'

const ALIGNMENT = 32
const MEL_FILTERS = 'mel_filters'
/** Seconds between two time stamps. */
const TIME_STEP = 0.02

/** enum llama_ftype, in which `general.file_type` is. */
const FILE_TYPES: Readonly<Record<GgmlType, number>> = {
  [GgmlType.F32]: 0,
  [GgmlType.F16]: 1,
  [GgmlType.Q4_0]: 2,
  [GgmlType.Q4_1]: 3,
  [GgmlType.Q8_0]: 7,
  [GgmlType.Q5_0]: 8,
  [GgmlType.Q5_1]: 9,
  [GgmlType.Q2_K]: 10,
  [GgmlType.Q3_K]: 11,
  [GgmlType.Q4_K]: 14,
  [GgmlType.Q5_K]: 16,
  [GgmlType.Q6_K]: 18,
  [GgmlType.BF16]: 32,
}

/** What is said of the model beside what follows from it. */
export interface GgufLabels extends ModelLabels {
  /** SHA-256 of the source's files. */
  sourceSha256: readonly string[]
}

/**
 * The file that docs/gguf.md describes.
 * @throws WhisperHipError `ERR_MODEL_UNSUPPORTED` for a model with other mel filters than Whisper's, which would be lost
 */
export async function ggufLayout(plan: LoadPlan, labels: GgufLabels, pacer: Pacer): Promise<FileLayout> {
  requireOwnFilters(plan)
  await pacer.turn()
  const tables = new GgufTables()
  writeMetadata(tables, plan, labels)
  await writeTokenizer(tables, plan, pacer)
  await pacer.turn()
  const offsets = new Float64Array(plan.tensors.length)
  let end = 0
  for (const [i, tensor] of plan.tensors.entries()) {
    // The bias of a convolution is [1, n] in whisper.cpp alone.
    const shape = tensor.shape[0] === 1 ? tensor.shape.slice(1) : tensor.shape
    offsets[i] = end
    tables.tensor(huggingFaceName(tensor.name), shape, tensor.type, end)
    end = padded(end + tensorBytes(tensor), ALIGNMENT)
  }
  const { melBins } = plan.hyperparameters
  const filters = new Uint8Array(melFilterBank(melBins).buffer)
  tables.tensor(MEL_FILTERS, [SPECTRUM_BINS, melBins], GgmlType.F32, end)
  const head = tables.finish(ALIGNMENT)
  const start = head.byteLength
  return {
    size: start + padded(end + filters.byteLength, ALIGNMENT),
    pieces: [
      { offset: 0, bytes: head },
      { offset: start + end, bytes: filters },
    ],
    offsets: offsets.map((offset) => start + offset),
  }
}

function requireOwnFilters({ melFilters, hyperparameters, sources }: LoadPlan): void {
  const expected = melFilterBank(hyperparameters.melBins)
  const at = expected.findIndex((value, i) => !(Math.abs((melFilters[i] as number) - value) <= 1e-5))
  if (at < 0) return
  throw unsupported(
    sources[0]?.name ?? '',
    `its mel filters are not those of Whisper (value ${at} is ${melFilters[at]}, where ${expected[at]} is expected), and GGUF readers compute them`,
    ['Convert it to a .bin file, which keeps them'],
  )
}

function writeMetadata(tables: GgufTables, plan: LoadPlan, labels: GgufLabels): void {
  const { hyperparameters: p, weightType } = plan
  const { architecture, languages } = describeModel(p)
  const string = (key: string, value: string) => tables.set(key, { type: 'string', value })
  const u32 = (key: string, value: number) => tables.set(key, { type: 'u32', value })

  string('general.architecture', 'whisper')
  string('general.type', 'model')
  string('general.name', labels.name ?? `Whisper ${architecture}`)
  if (labels.license !== undefined) string('general.license', labels.license)
  tables.set('general.languages', { type: 'strings', value: languages })
  u32('general.file_type', FILE_TYPES[weightType])
  if (typeLayout(weightType).block > 1) u32('general.quantization_version', 2)
  u32('general.alignment', ALIGNMENT)
  u32(OWN_VERSION_KEY, OWN_VERSION)
  string('whisper_hip.source.format', plan.format)
  tables.set('whisper_hip.source.sha256', { type: 'strings', value: labels.sourceSha256 })

  u32('whisper.encoder.context_length', p.audioContext)
  u32('whisper.encoder.embedding_length', p.audioState)
  u32('whisper.encoder.block_count', p.audioLayers)
  u32('whisper.encoder.attention.head_count', p.audioHeads)
  u32('whisper.encoder.feed_forward_length', 4 * p.audioState)
  u32('whisper.encoder.mels_count', p.melBins)
  u32('whisper.decoder.context_length', p.textContext)
  u32('whisper.decoder.embedding_length', p.textState)
  u32('whisper.decoder.block_count', p.textLayers)
  u32('whisper.decoder.attention.head_count', p.textHeads)
  u32('whisper.decoder.feed_forward_length', 4 * p.textState)
  u32('whisper.vocab_size', p.vocabularySize)
  tables.set('whisper.attention.layer_norm_epsilon', { type: 'f32', value: 1e-5 })
  writeAdvice(tables, labels.advice)
}

function writeAdvice(tables: GgufTables, advice: GenerationAdvice): void {
  const { alignmentHeads, suppressTokens, beginSuppressTokens } = advice
  if (alignmentHeads) tables.set('whisper.decoder.alignment_heads', { type: 'u32s', value: alignmentHeads })
  if (suppressTokens) tables.set('whisper.suppress_tokens', { type: 'i32s', value: suppressTokens })
  if (beginSuppressTokens)
    tables.set('whisper.begin_suppress_tokens', { type: 'i32s', value: beginSuppressTokens })
}

/** Names under `whisper.token` of the marks that follow the languages, in the order of their ids. */
const MARKS = [
  'translate',
  'transcribe',
  'startoflm',
  'startofprev',
  'nospeech',
  'notimestamps',
  'timestamp_begin',
] as const

async function writeTokenizer(tables: GgufTables, plan: LoadPlan, pacer: Pacer): Promise<void> {
  const { vocabularySize } = plan.hyperparameters
  const first = endOfText(vocabularySize)
  const u32 = (key: string, value: number) => tables.set(key, { type: 'u32', value })
  tables.set('tokenizer.ggml.model', { type: 'string', value: 'gpt2' })
  tables.set('tokenizer.ggml.pre', { type: 'string', value: 'gpt2' })
  await tables.setMany('tokenizer.ggml.tokens', vocabularySize, printableTokens(plan), pacer)
  // 1 = text, 3 = control.
  const types = new Int32Array(vocabularySize).fill(1, 0, first).fill(3, first)
  tables.set('tokenizer.ggml.token_type', { type: 'i32s', value: types })
  for (const name of ['bos', 'eos', 'eot', 'padding']) u32(`tokenizer.ggml.${name}_token_id`, first)
  u32('tokenizer.ggml.sot_token_id', first + 1)
  u32('whisper.token.startoftranscript', first + 1)
  const marks = specialTokens(vocabularySize).slice(-MARKS.length)
  for (const [i, name] of MARKS.entries()) u32(`whisper.token.${name}`, marks[i]?.id as number)
}

/** All tokens as GGUF has them: GGUF's strings are UTF-8, and tokens are parts of it. */
function* printableTokens({ vocabulary, hyperparameters }: LoadPlan): Generator<string> {
  const { vocabularySize } = hyperparameters
  let at = 0
  for (const length of vocabulary.lengths) {
    yield encodeByteLevel(vocabulary.bytes.subarray(at, at + length))
    at += length
  }
  // The last text token of vocabularies of many languages is empty, and left out by some.
  let count = vocabulary.lengths.length
  for (; count < endOfText(vocabularySize); count++) yield ''
  const special = specialTokens(vocabularySize)
  for (const { names } of special) yield names[0] as string
  count += special.length
  for (let i = 1; count < vocabularySize; i++, count++) yield `<|${(i * TIME_STEP).toFixed(2)}|>`
}
