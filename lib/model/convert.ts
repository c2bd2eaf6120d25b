import { createHash } from 'node:crypto'
import { extname } from 'node:path'
import { types } from 'node:util'
import { addon, loadBackends } from '../backend/addon.ts'
import { captureCaller, toLibraryError } from '../backend/native-error.ts'
import { checkBoolean, checkEnum, checkFunction, checkOptions, checkSignal, checkString } from '../check.ts'
import { WhisperHipError } from '../errors.ts'
import { finishTask } from '../finish-task.ts'
import { guardCallback } from '../guard-callback.ts'
import { Pacer } from '../pacer.ts'
import { companionFolder } from './companions.ts'
import { type WeightType, weightTypeNames } from './conversions.ts'
import { corrupt } from './failures.ts'
import { type FileLayout, inCommonOrder } from './file-layout.ts'
import { closePlan, readModel, requireUnchanged } from './formats/index.ts'
import { readGeneration } from './generation.ts'
import { typeName } from './ggml-types.ts'
import { locateModel } from './locate.ts'
import { NewFile } from './new-file.ts'
import type { LoadPlan, ModelFormat, ModelLabels } from './plan.ts'
import { toNativePlan } from './plan-to-native.ts'
import type { ByteSource } from './source.ts'
import { storeBytes } from './store-bytes.ts'
import type { ModelInput } from './types.ts'
import { requireWritable } from './writable.ts'
import { cannotWrite } from './write-failure.ts'
import { ggmlLayout } from './write-ggml.ts'
import { ggufLayout } from './write-gguf.ts'

/** Options of {@link convertModel}. */
export interface ConvertOptions {
  /** Type of the weights in the new file. Default `auto`: the type that `loadModel()` would give them in memory. */
  weightType?: 'auto' | WeightType
  /** Read the new file again, and compare every tensor with the source. Default `false`. */
  verify?: boolean
  /** Human-readable name of the model. Default: the name in the source, otherwise `Whisper` and the architecture. GGUF only. */
  name?: string
  /** SPDX identifier of the licence. Default: the one in the source, otherwise none. GGUF only. */
  license?: string
  /** Called with the progress, at most 100 times in each stage. */
  onProgress?: (progress: ConvertProgress) => void
  signal?: AbortSignal
}

/** Progress of {@link convertModel}. */
export interface ConvertProgress {
  stage: 'hash' | 'write' | 'verify'
  /** 0..1 */
  progress: number
}

/** What {@link convertModel} resolves to. */
export interface ConvertedModel {
  path: string
  format: 'gguf' | 'ggml'
  bytes: number
  /** Type of the weights, e.g. `q8_0`. */
  weightType: string
  /** Format of the source. */
  from: ModelFormat
  /** What was converted, e.g. `149 tensors f16 -> q8_0`. */
  conversions: string[]
}

const optionNames = [
  'weightType',
  'verify',
  'name',
  'license',
  'onProgress',
  'signal',
] as const satisfies readonly (keyof ConvertOptions)[]

const MAX_LABEL = 500
const HASHED_AT_ONCE = 1 << 20

/**
 * Converts a model in any format that `loadModel()` reads into one file: GGUF in the convention of docs/gguf.md if the path ends in
 * `.gguf`, whisper.cpp's format if it ends in `.bin`. The weights are streamed, so memory use stays small whatever their size. The bytes
 * depend only on the source and the options. The file appears once it is complete, and replaces any existing one.
 *
 * Until then, it is a hidden file in the same folder, which is removed if the conversion fails, at `process.exit()`, and if SIGINT, SIGTERM
 * or SIGHUP ends an application that does not listen for it. After SIGKILL or `worker.terminate()` it remains; a later conversion to the
 * same path removes it once it is an hour old.
 *
 * @throws {@link WhisperHipError} as `loadModel()`; `ERR_WRITE`; `ERR_MODEL_CORRUPT` if the file differs from what was written; or
 *   `signal.reason`
 */
export async function convertModel(
  input: ModelInput,
  path: string,
  options: ConvertOptions = {},
): Promise<ConvertedModel> {
  const caller = captureCaller(convertModel)
  try {
    const given = parseOptions(options)
    const told = guardCallback<ConvertProgress>(given.onProgress, given.signal)
    const made = await convert(input, path, { ...given, onProgress: told.call, signal: told.signal })
    await told.end()
    return made
  } catch (error) {
    throw toLibraryError(error, caller)
  }
}

type ParsedOptions = ConvertOptions & Required<Pick<ConvertOptions, 'weightType' | 'verify'>>

function parseOptions(options: unknown): ParsedOptions {
  const given = checkOptions(options, optionNames, 'convertModel()')
  const parsed: ParsedOptions = {
    weightType: checkEnum(given.weightType ?? 'auto', 'weightType', ['auto', ...weightTypeNames]),
    verify: checkBoolean(given.verify ?? false, 'verify'),
  }
  if (given.name !== undefined) parsed.name = checkString(given.name, 'name', 1, MAX_LABEL)
  if (given.license !== undefined) parsed.license = checkString(given.license, 'license', 1, MAX_LABEL)
  if (given.onProgress !== undefined) parsed.onProgress = checkFunction(given.onProgress, 'onProgress')
  if (given.signal !== undefined) parsed.signal = checkSignal(given.signal, 'signal')
  return parsed
}

async function convert(input: ModelInput, path: string, options: ParsedOptions): Promise<ConvertedModel> {
  const { signal } = options
  const format = formatOf(path)
  signal?.throwIfAborted()
  await requireWritable(path)
  await loadBackends()
  const located = await locateModel(input, { ...(signal && { signal }) })
  const plan = inCommonOrder(await readModel(located.input, options))
  try {
    const layout = await (format === 'gguf'
      ? gguf(plan, located.input, options)
      : ggmlLayout(plan, new Pacer(signal)))
    const file = await NewFile.create(path, layout.size)
    try {
      await writeTensors(plan, file.descriptor, layout.offsets, 'write', options)
      await requireUnchanged(plan)
      // What makes a model of it comes last.
      for (const { offset, bytes } of layout.pieces) await file.write(offset, bytes)
      await file.publish(layout.size)
    } catch (error) {
      await file.discard()
      throw isNativeWrite(error) ? cannotWrite(path, error) : error
    }
    if (options.verify) await verify(plan, path, options)
    const weightType = typeName(plan.weightType)
    const { conversions } = plan
    return { path, format, bytes: layout.size, weightType, from: plan.format, conversions }
  } finally {
    await closePlan(plan)
  }
}

/** The addon knows why a write failed, but not of which file. */
function isNativeWrite(error: unknown): boolean {
  return !(error instanceof WhisperHipError) && (error as { code?: unknown }).code === 'ERR_WRITE'
}

function formatOf(path: unknown): 'gguf' | 'ggml' {
  const extension = typeof path === 'string' ? extname(path).toLowerCase() : ''
  if (extension === '.gguf') return 'gguf'
  if (extension === '.bin') return 'ggml'
  const received = typeof path === 'string' ? JSON.stringify(path) : `a value of type ${typeof path}`
  throw new WhisperHipError(
    'ERR_INVALID_ARGUMENT',
    `Expected a path that ends in .gguf or .bin for the new model but received ${received}`,
  )
}

async function gguf(
  plan: LoadPlan,
  input: string | URL | Uint8Array,
  options: ParsedOptions,
): Promise<FileLayout> {
  const { advice, ...labels } = await labelsOf(plan, input)
  const given = {
    ...labels,
    ...(options.name !== undefined && { name: options.name }),
    ...(options.license !== undefined && { license: options.license }),
    advice,
    sourceSha256: await hashSources(plan, options),
  }
  return ggufLayout(plan, given, new Pacer(options.signal))
}

/** What the source itself says goes before the files beside it. */
async function labelsOf(plan: LoadPlan, input: string | URL | Uint8Array): Promise<ModelLabels> {
  const folder = types.isUint8Array(input) ? null : await companionFolder(plan.sources[0]?.name ?? '')
  const beside = plan.format === 'ggml' ? {} : await readGeneration(folder)
  return { ...plan.labels, advice: { ...beside, ...plan.labels?.advice } }
}

/** Of the files that the weights are in, in their order; computed weights are no source. */
async function hashSources(plan: LoadPlan, { signal, onProgress }: ParsedOptions): Promise<string[]> {
  const pacer = new Pacer(signal)
  const sources = plan.sources.filter((source, i) => i === 0 || 'fd' in source.native)
  const total = sources.reduce((sum, { size }) => sum + size, 0)
  const hashes: string[] = []
  let percent = 0
  let done = 0
  for (const source of sources) {
    const hash = createHash('sha256')
    for (let offset = 0; offset < source.size; offset += HASHED_AT_ONCE) {
      const length = Math.min(HASHED_AT_ONCE, source.size - offset)
      hash.update(await source.read(offset, length))
      done += length
      if (Math.floor((100 * done) / total) > percent) {
        percent = Math.floor((100 * done) / total)
        onProgress?.({ stage: 'hash', progress: done / total })
      }
      if (pacer.due) await pacer.turn()
    }
    hashes.push(hash.digest('hex'))
  }
  return hashes
}

/** Runs the native writer; an abort ends it within a slice of weights. */
async function writeTensors(
  plan: LoadPlan,
  descriptor: number,
  offsets: Float64Array,
  stage: 'write' | 'verify',
  { signal, onProgress }: ParsedOptions,
): Promise<void> {
  const { native } = addon()
  const stores = await storeBytes(native, plan, signal)
  signal?.throwIfAborted()
  const task = native.writeTensors(
    toNativePlan(plan, stores),
    descriptor,
    offsets,
    stage === 'verify',
    (progress) => {
      if (!signal?.aborted) onProgress?.({ stage, progress })
    },
  )
  await finishTask(task, signal)
  signal?.throwIfAborted()
}

/** Reads the new file as any other, and compares what it has with what the source gives. */
async function verify(plan: LoadPlan, path: string, options: ParsedOptions): Promise<void> {
  const written = inCommonOrder(await readModel(path))
  try {
    const offsets = Float64Array.from(plan.tensors, (tensor, i) => {
      const { name, parts } = written.tensors[i] as LoadPlan['tensors'][number]
      const [part] = parts
      if (name !== tensor.name || part?.type !== tensor.type || part.source !== 0)
        throw corrupt(path, `tensor ${tensor.name} is not what was written`)
      return part.offset
    })
    requireSameTables(plan, written, path)
    const { native } = written.sources[0] as ByteSource
    if ('fd' in native) await writeTensors(plan, native.fd, offsets, 'verify', options)
  } finally {
    await closePlan(written)
  }
}

function requireSameTables(plan: LoadPlan, written: LoadPlan, path: string): void {
  const isSame =
    JSON.stringify(plan.hyperparameters) === JSON.stringify(written.hyperparameters) &&
    Buffer.compare(plan.vocabulary.bytes, written.vocabulary.bytes) === 0 &&
    plan.melFilters.every((value, i) => Math.abs(value - (written.melFilters[i] as number)) <= 1e-5)
  if (!isSame) throw corrupt(path, 'its tables are not what was written')
}
