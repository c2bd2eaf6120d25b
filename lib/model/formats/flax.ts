import type { Pacer } from '../../pacer.ts'
import { planCheckpoint, type StoredTensor } from '../checkpoint.ts'
import { corrupt, quote } from '../failures.ts'
import type { LoadPlan } from '../plan.ts'
import type { ByteSource } from '../source.ts'
import { canonicalName } from '../tensor-names.ts'
import { type FlaxArray, readFlaxContainer } from './flax-container.ts'
import { readHuggingFaceConfig } from './hf-config.ts'
import { huggingFaceVocabulary } from './hf-vocabulary.ts'

/** What the last part of a name is in other checkpoints. */
const FIELDS: Readonly<Record<string, string>> = { kernel: 'weight', scale: 'weight', embedding: 'weight' }

/**
 * Reads a checkpoint of Flax (`flax_model.msgpack`, Whisper-JAX) with the configuration and vocabulary of Hugging Face beside it.
 *
 * Flax stores kernels with the inputs before the outputs, the other way round than Whisper: they are transposed while they are loaded.
 *
 * @param folder where the companions are, or `null` when the model came as bytes
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, `ERR_MODEL_UNSUPPORTED`, or `ERR_MODEL_NOT_FOUND` when the vocabulary is missing
 */
export async function readFlax(source: ByteSource, folder: string | null, pacer: Pacer): Promise<LoadPlan> {
  const arrays = await readFlaxContainer(source, pacer)
  const tensors = new Map<string, StoredTensor>()
  for (const [path, array] of arrays) {
    const name = nameOf(path)
    if (tensors.has(name)) throw corrupt(source.name, `tensor ${quote(name)} is there twice`)
    tensors.set(name, storedTensor(path, array))
  }
  return await planCheckpoint(
    {
      format: 'flax',
      dialect: 'msgpack',
      name: source.name,
      sources: [source],
      tensors,
      config: await readHuggingFaceConfig(folder),
      vocabulary: huggingFaceVocabulary(folder, source.name, pacer),
    },
    pacer,
  )
}

/** `params/model/encoder/layers/0/fc1/kernel` is `encoder.blocks.0.mlp.0.weight`. */
function nameOf(path: string): string {
  const parts = path.split('/')
  if (parts[0] === 'params') parts.shift()
  const field = parts.pop() as string
  const name = canonicalName([...parts, FIELDS[field] ?? field].join('.'))
  return name === 'lm_head.weight' ? 'proj_out.weight' : name
}

function storedTensor(path: string, { shape, type, offset }: FlaxArray): StoredTensor {
  const tensor = { source: 0, offset, type }
  const isKernel = path.endsWith('/kernel') && shape.length > 1
  if (!isKernel) return { ...tensor, shape: shape.toReversed() }
  const strides: number[] = []
  // Inputs come before outputs, and the width of a convolution before both: the order that ggml lists dimensions in.
  for (let axis = shape.length - 1, stride = 1; axis >= 0; stride *= shape[axis--] as number)
    strides.unshift(stride)
  return { ...tensor, shape, strides }
}
