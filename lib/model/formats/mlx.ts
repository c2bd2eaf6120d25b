import type { FileTensor } from './tensor-table.ts'

/** Indices of attention heads, which MLX's Whisper keeps among its weights, as integers. */
export const MLX_HEADS = 'alignment_heads'

/** Both layers of an MLP, as OpenAI numbers them. */
const LAYERS: Readonly<Record<string, string>> = { mlp1: 'mlp.0', mlp2: 'mlp.2' }
const KERNEL = /^encoder\.conv[12]\.weight$/

/** Whether the names are those of MLX's Whisper, which has OpenAI's but for the layers of its MLPs. */
export function isMlx(tensors: ReadonlyMap<string, unknown>): boolean {
  return tensors.has('encoder.blocks.0.mlp1.weight')
}

/**
 * The tensors under OpenAI's names. MLX stores kernels as [outputs, width, inputs], where Whisper has [outputs, inputs, width]: they are
 * transposed while they are loaded.
 */
export function fromMlx(tensors: ReadonlyMap<string, FileTensor>): Map<string, FileTensor> {
  return new Map(
    [...tensors].map(([name, tensor]) => [
      name.replace(/\.(mlp[12])\./, (_, layer: string) => `.${LAYERS[layer]}.`),
      KERNEL.test(name) ? kernelOf(tensor) : tensor,
    ]),
  )
}

function kernelOf(tensor: FileTensor): FileTensor {
  const [inputs, width, outputs] = tensor.shape
  if (inputs === undefined || width === undefined || outputs === undefined) return tensor
  return { ...tensor, shape: [width, inputs, outputs], strides: [inputs, 1, inputs * width] }
}
