import type { Pacer } from '../../pacer.ts'
import type { ByteSource } from '../source.ts'
import { canonicalName } from '../tensor-names.ts'
import { type FlaxArray, readFlaxContainer } from './flax-container.ts'
import type { FileTensor } from './tensor-table.ts'

/** What the last part of a name is in other checkpoints. */
const FIELDS: Readonly<Record<string, string>> = { kernel: 'weight', scale: 'weight', embedding: 'weight' }

/**
 * Reads the table of a checkpoint of Flax (`flax_model.msgpack`, Whisper-JAX), or of one of its several files.
 *
 * Flax stores kernels with the inputs before the outputs, the other way round than Whisper: they are transposed while they are loaded.
 *
 * @returns tensors by path, e.g. `model/encoder/layers/0/fc1/kernel`
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, `ERR_MODEL_UNSUPPORTED`
 */
export async function readFlax(source: ByteSource, pacer: Pacer): Promise<Map<string, FileTensor>> {
  const arrays = await readFlaxContainer(source, pacer)
  return new Map([...arrays].map(([path, array]) => [path, tensorOf(path, array)]))
}

/** `params/model/encoder/layers/0/fc1/kernel` is `encoder.blocks.0.mlp.0.weight`. */
export function flaxName(path: string): string {
  const parts = path.split('/')
  if (parts[0] === 'params') parts.shift()
  const field = parts.pop() as string
  const name = canonicalName([...parts, FIELDS[field] ?? field].join('.'))
  return name === 'lm_head.weight' ? 'proj_out.weight' : name
}

function tensorOf(path: string, { shape, type, offset }: FlaxArray): FileTensor {
  const isKernel = path.endsWith('/kernel') && shape.length > 1
  if (!isKernel) return { offset, type, shape: shape.toReversed() }
  const strides: number[] = []
  // Inputs come before outputs, and the width of a convolution before both: the order that ggml lists dimensions in.
  for (let axis = shape.length - 1, stride = 1; axis >= 0; stride *= shape[axis--] as number)
    strides.unshift(stride)
  return { offset, type, shape, strides }
}
