import { Pacer } from '../../pacer.ts'
import { type WeightType, withWeightType } from '../conversions.ts'
import type { LoadPlan } from '../plan.ts'
import type { ByteSource } from '../source.ts'
import { type ModelSource, openModelSource } from '../sources.ts'
import { validatePlan } from '../validate-plan.ts'
import { readCTranslate2 } from './ctranslate2.ts'
import { readGguf } from './gguf.ts'
import { identify } from './identify.ts'
import { readLegacyGgml } from './legacy-ggml.ts'
import { readOnnx } from './onnx.ts'
import { readShards } from './shards.ts'
import { readTensorFile } from './tensor-file.ts'

/**
 * Finds out what the input is and how to load it. Reads tables and vocabularies only, never a weight, in bounded memory, and
 * gives the event loop a turn every few milliseconds. The sources of the plan are open: end with {@link closePlan}.
 *
 * @param input a file, a checkpoint folder, a `file:` URL, the bytes of a file (not copied), or an open source
 * @param options `weightType` in memory, `auto` when absent; `signal` aborts with its reason
 * @throws WhisperHipError `ERR_MODEL_NOT_FOUND`, `ERR_MODEL_FORMAT` (no model), `ERR_MODEL_CORRUPT` (damaged),
 *   `ERR_MODEL_UNSUPPORTED` (sound, but not for this version), `ERR_INVALID_ARGUMENT`; or the reason of the signal
 */
export async function readModel(
  input: string | URL | Uint8Array | ByteSource,
  { weightType = 'auto', signal }: { weightType?: 'auto' | WeightType; signal?: AbortSignal } = {},
): Promise<LoadPlan> {
  signal?.throwIfAborted()
  const model = await openModelSource(input)
  let read: LoadPlan | undefined
  try {
    read = await readFormat(model, new Pacer(signal))
    const plan = weightType === 'auto' ? read : withWeightType(read, weightType)
    validatePlan(plan)
    signal?.throwIfAborted()
    return plan
  } catch (error) {
    await model.source.close()
    if (read !== undefined) await closePlan(read)
    throw error
  }
}

/** A reader closes what it opens beside the given source, unless it is in the plan. */
async function readFormat({ source, folder }: ModelSource, pacer: Pacer): Promise<LoadPlan> {
  const format = await identify(source)
  switch (format) {
    case 'ggml':
      return await readLegacyGgml(source, pacer)
    case 'gguf':
      return await readGguf(source, folder, pacer)
    case 'ctranslate2':
      return await readCTranslate2(source, folder, pacer)
    case 'onnx':
      return await readOnnx(source, folder, pacer)
    case 'safetensors':
    case 'pytorch':
    case 'flax':
      return await readTensorFile(source, folder, format, pacer)
    case 'shards':
      return await readShards(source, folder, pacer)
  }
}

/** Closes the files of a plan. */
export async function closePlan(plan: LoadPlan): Promise<void> {
  await Promise.all(plan.sources.map((source) => source.close()))
}

/** @throws WhisperHipError `ERR_MODEL_CORRUPT` when one of the files was written to since it was opened */
export async function requireUnchanged(plan: LoadPlan): Promise<void> {
  await Promise.all(plan.sources.map((source) => source.requireUnchanged()))
}
