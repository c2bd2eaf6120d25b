import type { Hyperparameters } from '../plan.ts'

/** Where a tensor lies: slice `slice` of `slices` equal ones along the rows of a variable. */
export interface Place {
  readonly variable: string
  readonly slice: number
  readonly slices: number
}

const whole = (variable: string): Place => ({ variable, slice: 0, slices: 1 })

const TOP: Readonly<Record<string, string>> = {
  'encoder.positional_embedding': 'encoder/position_encodings/encodings',
  'encoder.conv1.weight': 'encoder/conv1/weight',
  'encoder.conv1.bias': 'encoder/conv1/bias',
  'encoder.conv2.weight': 'encoder/conv2/weight',
  'encoder.conv2.bias': 'encoder/conv2/bias',
  'encoder.ln_post.weight': 'encoder/layer_norm/gamma',
  'encoder.ln_post.bias': 'encoder/layer_norm/beta',
  'decoder.positional_embedding': 'decoder/position_encodings/encodings',
  'decoder.token_embedding.weight': 'decoder/embeddings/weight',
  'decoder.ln.weight': 'decoder/layer_norm/gamma',
  'decoder.ln.bias': 'decoder/layer_norm/beta',
}

const NORMS: Readonly<Record<string, string>> = {
  attn_ln: 'self_attention/layer_norm',
  cross_attn_ln: 'attention/layer_norm',
  mlp_ln: 'ffn/layer_norm',
}

/** Self-attention fuses query, key and value; cross-attention fuses key and value. */
const LINEARS: Readonly<Record<string, [module: string, slice: number, slices: number]>> = {
  'attn.query': ['self_attention/linear_0', 0, 3],
  'attn.key': ['self_attention/linear_0', 1, 3],
  'attn.value': ['self_attention/linear_0', 2, 3],
  'attn.out': ['self_attention/linear_1', 0, 1],
  'cross_attn.query': ['attention/linear_0', 0, 1],
  'cross_attn.key': ['attention/linear_1', 0, 2],
  'cross_attn.value': ['attention/linear_1', 1, 2],
  'cross_attn.out': ['attention/linear_2', 0, 1],
  'mlp.0': ['ffn/linear_0', 0, 1],
  'mlp.2': ['ffn/linear_1', 0, 1],
}

/** Finds the tensor with the given legacy name among the variables of CTranslate2's WhisperSpec. */
export function placeOf(name: string): Place {
  const top = TOP[name]
  if (top !== undefined) return whole(top)
  const [, part, layer, module, field] = /^(\w+)\.blocks\.(\d+)\.(.+)\.(weight|bias)$/.exec(
    name,
  ) as RegExpExecArray
  const block = `${part}/layer_${layer}`
  const norm = NORMS[module as string]
  if (norm !== undefined) return whole(`${block}/${norm}/${field === 'weight' ? 'gamma' : 'beta'}`)
  const [linear, slice, slices] = LINEARS[module as string] as [string, number, number]
  return { variable: `${block}/${linear}/${field}`, slice, slices }
}

/** The slices of fused biases that belong to keys; Whisper's keys have no bias. */
export function keyBiases({
  audioLayers,
  textLayers,
}: Hyperparameters): { variable: string; slice: number }[] {
  const self = (part: string) => (_: unknown, layer: number) => ({
    variable: `${part}/layer_${layer}/self_attention/linear_0/bias`,
    slice: 1,
  })
  const cross = (_: unknown, layer: number) => ({
    variable: `decoder/layer_${layer}/attention/linear_1/bias`,
    slice: 0,
  })
  return [
    ...Array.from({ length: audioLayers }, self('encoder')),
    ...Array.from({ length: textLayers }, self('decoder')),
    ...Array.from({ length: textLayers }, cross),
  ]
}
