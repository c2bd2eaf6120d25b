import { corrupt, quote, unsupported } from '../failures.ts'
import { canonicalName } from '../tensor-names.ts'
import type { OnnxGraph, OnnxNode, OnnxTensor } from './onnx-graph.ts'

/** A constant that is a tensor of Whisper. */
export interface NamedTensor {
  tensor: OnnxTensor
  /** Its two dimensions are the other way round: inputs before outputs. */
  isTransposed: boolean
}

const WHISPER =
  /^(encoder|decoder)\.(blocks\.\d+\.|conv[12]\.|ln(_post)?\.|token_embedding\.|positional_embedding$)/
const HEAD = 'proj_out.weight'
/** Operators whose result is their input, as far as the values matter. */
const PASSING: readonly string[] = ['Cast', 'Identity']

/**
 * Finds Whisper's tensors among the constants of a graph.
 *
 * Exporters keep the names of most, and fold the transposition of linear weights, which then have names such as `onnx::MatMul_1024`. What
 * these are is told by the operator that multiplies by them: by its own name (`/layers.0/fc1/MatMul`), else by the bias that is
 * added to its result; a key has no bias, but is computed from what the value is computed from, just before it.
 *
 * @param part of Whisper that is in the file
 * @returns by the names of `canonicalName()`
 * @throws WhisperHipError `ERR_MODEL_UNSUPPORTED` when it cannot be told what a weight is, `ERR_MODEL_CORRUPT`
 */
export function nameTensors(
  graph: OnnxGraph,
  part: 'encoder' | 'decoder',
  file: string,
): Map<string, NamedTensor> {
  const { tensors } = graph
  const nodes = withoutCasts(graph)
  const named = new Map<string, NamedTensor>()
  const names = new Map<string, string>()
  const graphs = new Map<string, number>()
  const add = (name: string, tensor: OnnxTensor, graph?: number) => {
    const known = names.get(tensor.name)
    if (known !== undefined && known !== name)
      throw corrupt(file, `the constant ${quote(tensor.name)} is used as ${known} and as ${name}`)
    const isNew = known === undefined
    if (isNew && graph !== undefined && graphs.get(name) === graph)
      throw corrupt(file, `its graph has two weights that are ${name}, ${quote(tensor.name)} among them`)
    if (graph !== undefined) graphs.set(name, graph)
    names.set(tensor.name, name)
    // A merged decoder may have a weight twice, once for each of its graphs.
    if (!named.has(name)) named.set(name, { tensor, isTransposed: false })
  }
  for (const tensor of tensors.values()) {
    const name = nameIn(part, tensor.name.replace(/_merged_\d+$/, ''))
    const isTensor = WHISPER.test(name) && name.startsWith(`${part}.`)
    if (isTensor || (name === HEAD && part === 'decoder') || /lora_/.test(name)) add(name, tensor)
  }

  const products = nodes.filter((node) => weightOf(node, tensors) !== undefined)
  const anonymous = products.filter((node) => !names.has(node.inputs[1] as string))
  const modules = modulesOf(nodes, products, names, part)
  const vocabularySize = named.get('decoder.token_embedding.weight')?.tensor.shape[0]
  for (const node of anonymous) {
    const tensor = weightOf(node, tensors) as OnnxTensor
    const isHead = tensor.shape[1] === vocabularySize
    const module = modules.get(node) ?? (isHead ? HEAD.replace('.weight', '') : undefined)
    if (module === undefined) {
      throw unsupported(
        file,
        `its graph does not tell what the weight ${quote(tensor.name)} of the operator ${quote(node.name)} is`,
        ['Export the model again with optimum-cli export onnx, or use its safetensors'],
      )
    }
    add(`${module}.weight`, tensor, node.graph)
  }
  for (const node of products) {
    const entry = named.get(names.get(node.inputs[1] as string) as string)
    if (entry !== undefined && entry.tensor.name === node.inputs[1]) entry.isTransposed = !node.isTransposed
  }
  return named
}

/** Operators that get a constant directly, where an export in half precision has it behind a change of its type. */
function withoutCasts({ tensors, nodes }: OnnxGraph): OnnxNode[] {
  const passed = new Map<string, string>()
  for (const node of nodes) {
    if (!PASSING.includes(node.operator)) continue
    const input = node.inputs[0] ?? ''
    const constant = tensors.has(input) ? input : (passed.get(keyOf(node, input)) ?? passed.get(input))
    if (constant === undefined) continue
    passed.set(keyOf(node, node.output), constant)
    // What a branch takes from outside of it; results of other branches have other names, or are the same constant.
    const known = passed.get(node.output)
    passed.set(node.output, known === undefined || known === constant ? constant : '')
  }
  const constantOf = (node: OnnxNode, input: string) => {
    if (tensors.has(input)) return input
    const constant = passed.get(keyOf(node, input)) ?? passed.get(input)
    return constant === undefined || constant === '' ? input : constant
  }
  return nodes
    .filter(({ operator }) => !PASSING.includes(operator))
    .map((node) => ({ ...node, inputs: node.inputs.map((input) => constantOf(node, input)) }))
}

/** The matrix that an operator multiplies by, when it is a constant. */
function weightOf(node: OnnxNode, tensors: OnnxGraph['tensors']): OnnxTensor | undefined {
  if (node.operator === 'Add') return undefined
  const tensor = tensors.get(node.inputs[1] ?? '')
  return tensor?.shape.length === 2 ? tensor : undefined
}

/** The modules whose weights operators multiply by, e.g. `decoder.blocks.0.attn.key`. */
function modulesOf(
  nodes: readonly OnnxNode[],
  products: readonly OnnxNode[],
  names: ReadonlyMap<string, string>,
  part: 'encoder' | 'decoder',
): Map<OnnxNode, string> {
  const modules = new Map<OnnxNode, string>()
  const biases = biasesByInput(nodes, names)
  for (const node of products) {
    const module =
      moduleOf(node, part) ??
      (biases.get(keyOf(node, node.output)) ?? names.get(node.inputs[2] ?? ''))?.replace(/\.bias$/, '')
    if (module !== undefined) modules.set(node, module)
  }
  // From behind, so that each key meets the value that comes next.
  const values = new Map<string, string>()
  for (const node of products.toReversed()) {
    const input = keyOf(node, node.inputs[0])
    const module = modules.get(node)
    if (module?.endsWith('.value')) values.set(input, module)
    const value = values.get(input)
    if (module === undefined && value !== undefined) {
      modules.set(node, value.replace(/\.value$/, '.key'))
      values.delete(input)
    }
  }
  return modules
}

function keyOf({ graph }: OnnxNode, result = ''): string {
  return `${graph}:${result}`
}

/** Names of biases by what they are added to. */
function biasesByInput(nodes: readonly OnnxNode[], names: ReadonlyMap<string, string>): Map<string, string> {
  const biases = new Map<string, string>()
  for (const node of nodes) {
    if (node.operator !== 'Add') continue
    const [first = '', second = ''] = node.inputs
    for (const [bias, input] of [
      [names.get(first), second],
      [names.get(second), first],
    ] as const) {
      if (bias?.endsWith('.bias')) biases.set(keyOf(node, input), bias)
    }
  }
  return biases
}

/** The module after whose place an operator is named: `/model/decoder/layers.0/fc1/MatMul`. */
function moduleOf({ name }: OnnxNode, part: 'encoder' | 'decoder'): string | undefined {
  const path = /^\/(.+)\/(?:MatMul|Gemm)(?:_\d+)?$/.exec(name)?.[1]
  if (path === undefined) return undefined
  const weight = nameIn(part, `${path.replaceAll('/', '.')}.weight`)
  return WHISPER.test(weight) || weight === HEAD ? weight.replace(/\.weight$/, '') : undefined
}

/** The encoder is exported by itself, so that the names in it do not say that they are of an encoder. */
function nameIn(part: 'encoder' | 'decoder', name: string): string {
  const bare = name.replace(/^(module\.|model\.)+/, '')
  return canonicalName(/^(encoder|decoder|proj_out)\./.test(bare) ? bare : `${part}.${bare}`)
}
