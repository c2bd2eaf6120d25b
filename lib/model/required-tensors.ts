import { GgmlType, type Hyperparameters } from './plan.ts'

/** Decides the type in memory: weights share one type, convolutions are f16, all else is f32. */
export type TensorKind = 'weight' | 'convolution' | 'vector'

/** A tensor that whisper.cpp insists on. */
export interface RequiredTensor {
  /** Legacy name. */
  readonly name: string
  /** ggml order, fastest dimension first. */
  readonly shape: readonly number[]
  readonly kind: TensorKind
}

/**
 * The exact tensor set of a Whisper model in whisper.cpp (v1.9.1, `whisper_model_load`):
 * 11 + 15 per audio layer + 24 per text layer. The order is whisper.cpp's; files may have any order.
 */
export function requiredTensors(parameters: Hyperparameters): RequiredTensor[] {
  const { audioState, audioContext, audioLayers, textState, textContext, textLayers } = parameters
  const { vocabularySize, melBins } = parameters
  const tensors: RequiredTensor[] = []
  const add = (kind: TensorKind, name: string, ...shape: number[]) => tensors.push({ name, shape, kind })

  const norm = (name: string, state: number) => {
    add('vector', `${name}.weight`, state)
    add('vector', `${name}.bias`, state)
  }
  const linear = (name: string, inputs: number, outputs: number) => {
    add('weight', `${name}.weight`, inputs, outputs)
    add('vector', `${name}.bias`, outputs)
  }
  const attention = (name: string, state: number) => {
    norm(`${name}_ln`, state)
    linear(`${name}.query`, state, state)
    add('weight', `${name}.key.weight`, state, state)
    linear(`${name}.value`, state, state)
    linear(`${name}.out`, state, state)
  }
  const mlp = (block: string, state: number) => {
    norm(`${block}.mlp_ln`, state)
    linear(`${block}.mlp.0`, state, 4 * state)
    linear(`${block}.mlp.2`, 4 * state, state)
  }

  add('vector', 'encoder.positional_embedding', audioState, audioContext)
  add('convolution', 'encoder.conv1.weight', 3, melBins, audioState)
  add('vector', 'encoder.conv1.bias', 1, audioState)
  add('convolution', 'encoder.conv2.weight', 3, audioState, audioState)
  add('vector', 'encoder.conv2.bias', 1, audioState)
  norm('encoder.ln_post', audioState)
  for (let layer = 0; layer < audioLayers; layer++) {
    const block = `encoder.blocks.${layer}`
    attention(`${block}.attn`, audioState)
    mlp(block, audioState)
  }

  add('vector', 'decoder.positional_embedding', textState, textContext)
  add('weight', 'decoder.token_embedding.weight', textState, vocabularySize)
  norm('decoder.ln', textState)
  for (let layer = 0; layer < textLayers; layer++) {
    const block = `decoder.blocks.${layer}`
    attention(`${block}.attn`, textState)
    attention(`${block}.cross_attn`, textState)
    mlp(block, textState)
  }
  return tensors
}

/** Type in memory of a tensor in a model whose weights have `weightType`: whisper.cpp has convolutions in f16, or in f32 beside f32 weights. */
export function memoryType(kind: TensorKind, weightType: GgmlType): GgmlType {
  if (kind === 'weight') return weightType
  return kind === 'vector' || weightType === GgmlType.F32 ? GgmlType.F32 : GgmlType.F16
}
