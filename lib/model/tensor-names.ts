/**
 * The names that checkpoints give Whisper's tensors, translated into those of OpenAI's own checkpoints, which whisper.cpp uses too:
 * `encoder.blocks.0.attn.query.weight`.
 */

/** A name of a tensor without its field, in another naming, and what it is here. `#` stands for the number of the layer. */
type Table = Readonly<Record<string, string>>

const HUGGING_FACE: Table = {
  'encoder.conv1': 'encoder.conv1',
  'encoder.conv2': 'encoder.conv2',
  'encoder.layer_norm': 'encoder.ln_post',
  'decoder.embed_tokens': 'decoder.token_embedding',
  'decoder.layer_norm': 'decoder.ln',
  ...block('encoder.layers.#', 'encoder.blocks.#', {
    'self_attn.q_proj': 'attn.query',
    'self_attn.k_proj': 'attn.key',
    'self_attn.v_proj': 'attn.value',
    'self_attn.out_proj': 'attn.out',
    self_attn_layer_norm: 'attn_ln',
    fc1: 'mlp.0',
    fc2: 'mlp.2',
    final_layer_norm: 'mlp_ln',
  }),
  ...block('decoder.layers.#', 'decoder.blocks.#', {
    'self_attn.q_proj': 'attn.query',
    'self_attn.k_proj': 'attn.key',
    'self_attn.v_proj': 'attn.value',
    'self_attn.out_proj': 'attn.out',
    self_attn_layer_norm: 'attn_ln',
    'encoder_attn.q_proj': 'cross_attn.query',
    'encoder_attn.k_proj': 'cross_attn.key',
    'encoder_attn.v_proj': 'cross_attn.value',
    'encoder_attn.out_proj': 'cross_attn.out',
    encoder_attn_layer_norm: 'cross_attn_ln',
    fc1: 'mlp.0',
    fc2: 'mlp.2',
    final_layer_norm: 'mlp_ln',
  }),
}

/** The naming of transcribe.cpp (`stt.whisper`). */
const STT: Table = {
  'enc.conv.0': 'encoder.conv1',
  'enc.conv.1': 'encoder.conv2',
  'enc.final_norm': 'encoder.ln_post',
  'dec.token_embd': 'decoder.token_embedding',
  'dec.final_norm': 'decoder.ln',
  ...block('enc.blocks.#', 'encoder.blocks.#', {
    norm_attn: 'attn_ln',
    'attn.q': 'attn.query',
    'attn.k': 'attn.key',
    'attn.v': 'attn.value',
    'attn.out': 'attn.out',
    norm_ffn: 'mlp_ln',
    'ffn.fc1': 'mlp.0',
    'ffn.fc2': 'mlp.2',
  }),
  ...block('dec.blocks.#', 'decoder.blocks.#', {
    norm_self: 'attn_ln',
    'self_attn.q': 'attn.query',
    'self_attn.k': 'attn.key',
    'self_attn.v': 'attn.value',
    'self_attn.out': 'attn.out',
    norm_cross: 'cross_attn_ln',
    'cross_attn.q': 'cross_attn.query',
    'cross_attn.k': 'cross_attn.key',
    'cross_attn.v': 'cross_attn.value',
    'cross_attn.out': 'cross_attn.out',
    norm_ffn: 'mlp_ln',
    'ffn.fc1': 'mlp.0',
    'ffn.fc2': 'mlp.2',
  }),
}

/** Names that have no field, or another one. */
const WHOLE: Table = {
  'encoder.embed_positions.weight': 'encoder.positional_embedding',
  'decoder.embed_positions.weight': 'decoder.positional_embedding',
  'enc.pos_emb.weight': 'encoder.positional_embedding',
  'dec.pos_emb.weight': 'decoder.positional_embedding',
  'proj_out.weight': 'proj_out.weight',
  mel_filters: 'mel_filters',
  'frontend.mel_filterbank': 'mel_filters',
  'frontend.window': 'window',
}

/** Prefixes that wrappers put before every name. */
const PREFIX = /^((module|_orig_mod|model)\.)*/

/**
 * @param name e.g. `model.encoder.layers.0.self_attn.q_proj.weight`
 * @returns e.g. `encoder.blocks.0.attn.query.weight`; a name in OpenAI's naming, or an unknown one, as it is without prefixes. The output head
 * is `proj_out.weight`, a stored filter bank `mel_filters`
 */
export function canonicalName(name: string): string {
  const bare = name.replace(PREFIX, '')
  const whole = lookUp(WHOLE, bare)
  if (whole !== undefined) return whole
  const [, stem, field] = /^(.+)\.(weight|bias)$/.exec(bare) ?? []
  if (stem === undefined) return bare
  const layer = /\.(\d{1,4})\./.exec(stem)?.[1]
  const pattern = layer === undefined ? stem : stem.replace(`.${layer}.`, '.#.')
  const known =
    lookUp(HUGGING_FACE, stem) ?? lookUp(STT, stem) ?? lookUp(HUGGING_FACE, pattern) ?? lookUp(STT, pattern)
  return known === undefined ? bare : `${known.replace('#', layer ?? '')}.${field}`
}

/** Names come from files: `constructor` is not in a table. */
function lookUp(table: Table, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

const TO_HUGGING_FACE = new Map(Object.entries(HUGGING_FACE).map(([theirs, ours]) => [ours, theirs]))

/**
 * @param name in OpenAI's naming, e.g. `encoder.blocks.0.attn.query.weight`
 * @returns in that of Hugging Face, e.g. `model.encoder.layers.0.self_attn.q_proj.weight`
 */
export function huggingFaceName(name: string): string {
  if (name.endsWith('.positional_embedding'))
    return `model.${name.replace('positional_embedding', 'embed_positions.weight')}`
  const [, stem = '', field] = /^(.+)\.(weight|bias)$/.exec(name) ?? []
  const layer = /\.(\d{1,4})\./.exec(stem)?.[1] ?? ''
  const theirs = TO_HUGGING_FACE.get(stem.replace(`.${layer}.`, '.#.')) ?? TO_HUGGING_FACE.get(stem)
  if (theirs === undefined) throw new RangeError(`'${name}' is no tensor of Whisper`)
  return `model.${theirs.replace('#', layer)}.${field}`
}

function block(from: string, to: string, modules: Table): Table {
  return Object.fromEntries(
    Object.entries(modules).map(([theirs, ours]) => [`${from}.${theirs}`, `${to}.${ours}`]),
  )
}
