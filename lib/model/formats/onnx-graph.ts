import type { Pacer } from '../../pacer.ts'
import { BlockReader } from '../block-reader.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import { GgmlType, type StoredType } from '../plan.ts'
import type { ByteSource } from '../source.ts'
import { type ProtobufField, ProtobufWalker } from './protobuf.ts'

/** A constant of the graph: weights and others. */
export interface OnnxTensor {
  readonly name: string
  /** C order, slowest dimension first. */
  readonly shape: readonly number[]
  /** Absent for what is no float. */
  readonly type?: StoredType
  /** Where the values are; absent when they are written one by one. */
  readonly data?: { offset: number; length: number } | ExternalData
}

export interface ExternalData {
  /** Name of the file, not checked. */
  readonly location: string
  readonly offset: number
  readonly length?: number
}

/** An operator that multiplies by a weight or adds a bias, or that passes a constant on in another type. */
export interface OnnxNode {
  readonly name: string
  readonly operator: string
  readonly inputs: readonly string[]
  readonly output: string
  /** Number of the graph that it is in: names of results mean something else in each branch. */
  readonly graph: number
  /** Of Gemm: whether its second input is transposed. */
  readonly isTransposed: boolean
}

export interface OnnxGraph {
  readonly tensors: ReadonlyMap<string, OnnxTensor>
  /** In order of computation, those of subgraphs where their operator is. */
  readonly nodes: readonly OnnxNode[]
}

const TYPES: Readonly<Record<number, StoredType>> = { 1: GgmlType.F32, 10: GgmlType.F16, 16: GgmlType.BF16 }
const KEPT: readonly string[] = ['MatMul', 'Gemm', 'Add', 'Cast', 'Identity']
const QUANTIZED =
  /^(QLinear|QGemm$|QAttention$|DynamicQuantize|QuantizeLinear$|DequantizeLinear$|MatMulInteger|ConvInteger|MatMulNBits$|MatMulBnb4$|GatherBlockQuantized$)/
/** Operators of onnxruntime with weights inside that are several of Whisper's. */
const FUSED = /^(Attention|DecoderAttention|EmbedLayerNormalization|WhisperBeamSearch|BeamSearch)$/

/** Operators lie side by side, between them and behind them weights. */
const READ_AHEAD = 1 << 14
const MAX_TEXT = 1024
const MAX_NODES = 1 << 17
const MAX_TENSORS = 1 << 15
const MAX_RANK = 8
const MAX_INPUTS = 1024
const MAX_DEPTH = 4

/**
 * Reads what the graph of an ONNX file multiplies with what, and where its constants are. No weight is read.
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, or `ERR_MODEL_UNSUPPORTED` for quantised weights and operators with fused weights
 */
export async function readOnnxGraph(source: ByteSource, pacer: Pacer): Promise<OnnxGraph> {
  const graph = new GraphReader(source, pacer)
  await graph.model()
  return graph
}

class GraphReader implements OnnxGraph {
  readonly tensors = new Map<string, OnnxTensor>()
  readonly nodes: OnnxNode[] = []
  readonly #walker: ProtobufWalker
  readonly #source: ByteSource
  readonly #pacer: Pacer
  #nodeCount = 0
  #graphCount = 0

  constructor(source: ByteSource, pacer: Pacer) {
    this.#source = source
    this.#pacer = pacer
    const reader = new BlockReader(source, pacer)
    reader.readAhead = READ_AHEAD
    this.#walker = new ProtobufWalker(reader)
  }

  async model(): Promise<void> {
    let graphs = 0
    await this.#message(this.#source.size, 'the model', async (field, end) => {
      if (field.number !== 7) return
      graphs++
      await this.#graph(end, 0)
    })
    if (graphs !== 1) throw corrupt(this.#source.name, `it has ${graphs} graphs, where one is needed`)
  }

  /** Hands the fields of a message to `take`, and passes over what is left of each. */
  async #message(
    end: number,
    what: string,
    take: (field: ProtobufField, end: number) => Promise<void>,
  ): Promise<void> {
    const { reader } = this.#walker
    for (
      let field = await this.#walker.field(end, what);
      field;
      field = await this.#walker.field(end, what)
    ) {
      const fieldEnd = reader.position + (field.kind === 'bytes' ? field.value : 0)
      await take(field, fieldEnd)
      if (reader.position < fieldEnd) reader.skip(fieldEnd - reader.position, what)
    }
  }

  async #graph(end: number, depth: number): Promise<void> {
    if (depth > MAX_DEPTH)
      throw corrupt(this.#source.name, `its graphs are nested more deeply than ${MAX_DEPTH}`)
    const graph = this.#graphCount++
    await this.#message(end, 'the graph', async (field, fieldEnd) => {
      if (this.#pacer.due) await this.#pacer.turn()
      if (field.kind !== 'bytes') return
      if (field.number === 1) await this.#node(fieldEnd, depth, graph)
      else if (field.number === 5) await this.#tensor(fieldEnd)
    })
  }

  async #node(end: number, depth: number, graph: number): Promise<void> {
    const what = 'an operator of the graph'
    if (++this.#nodeCount > MAX_NODES)
      throw corrupt(this.#source.name, `it has more than ${MAX_NODES} operators`)
    const inputs: string[] = []
    let [output, name, operator] = ['', '', '']
    let isTransposed = false
    const text = (field: ProtobufField) => this.#walker.text(field, MAX_TEXT, what)
    await this.#message(end, what, async (field, fieldEnd) => {
      if (field.number === 1) {
        if (inputs.length === MAX_INPUTS)
          throw corrupt(this.#source.name, `an operator has more than ${MAX_INPUTS} inputs`)
        inputs.push(await text(field))
      } else if (field.number === 2) output ||= await text(field)
      else if (field.number === 3) name = await text(field)
      else if (field.number === 4) operator = await text(field)
      else if (field.number === 5) isTransposed = (await this.#attribute(fieldEnd, depth)) || isTransposed
    })
    this.#refuse(operator)
    if (KEPT.includes(operator)) this.nodes.push({ name, operator, inputs, output, graph, isTransposed })
  }

  #refuse(operator: string): void {
    const { name } = this.#source
    if (QUANTIZED.test(operator)) {
      throw unsupported(name, `its weights are quantised: it has the operator ${quote(operator)}`, [
        'Use the export in fp32 or fp16; the option weightType quantises while loading',
      ])
    }
    if (FUSED.test(operator)) {
      throw unsupported(name, `it was optimised for onnxruntime: it has the operator ${quote(operator)}`, [
        'Use the export without optimisation: optimum-cli export onnx',
      ])
    }
  }

  /** Walks into the graphs that an attribute holds; tells whether it is a `transB` that is on. */
  async #attribute(end: number, depth: number): Promise<boolean> {
    const what = 'an attribute of an operator'
    let name = ''
    let value = 0
    await this.#message(end, what, async (field, fieldEnd) => {
      if (field.number === 1) name = await this.#walker.text(field, MAX_TEXT, what)
      else if (field.number === 3) value = field.value
      else if (field.number === 6 || field.number === 11) await this.#graph(fieldEnd, depth + 1)
    })
    return name === 'transB' && value === 1
  }

  async #tensor(end: number): Promise<void> {
    const what = 'a constant of the graph'
    const file = this.#source.name
    const { reader } = this.#walker
    const shape: number[] = []
    const external = new Map<string, string>()
    let name = ''
    let code = 0
    let isExternal = false
    let inside: { offset: number; length: number } | undefined
    await this.#message(end, what, async (field, fieldEnd) => {
      const { number, kind, value } = field
      if (number === 1) {
        shape.push(...(await this.#walker.integers(field, MAX_RANK, what)))
        if (shape.length > MAX_RANK) throw corrupt(file, `${quote(name)} has ${shape.length} dimensions`)
      } else if (number === 2) code = value
      else if (number === 8) name = await this.#walker.text(field, MAX_TEXT, what)
      // Floats that are packed lie there as they do among raw bytes.
      else if (kind === 'bytes' && (number === 9 || (number === 4 && value > 0)))
        inside = { offset: reader.position, length: value }
      else if (number === 13) await this.#entry(fieldEnd, external)
      else if (number === 14) isExternal = value === 1
    })
    if (this.tensors.has(name)) throw corrupt(file, `the constant ${quote(name)} is there twice`)
    if (this.tensors.size === MAX_TENSORS) throw corrupt(file, `it has more than ${MAX_TENSORS} constants`)
    const type = TYPES[code]
    const data = isExternal ? externalData(external, name, file) : inside
    this.tensors.set(name, { name, shape, ...(type !== undefined && { type }), ...(data && { data }) })
  }

  async #entry(end: number, entries: Map<string, string>): Promise<void> {
    const what = 'the place of a constant in another file'
    let [key, value] = ['', '']
    await this.#message(end, what, async (field) => {
      if (field.number === 1) key = await this.#walker.text(field, MAX_TEXT, what)
      else if (field.number === 2) value = await this.#walker.text(field, MAX_TEXT, what)
    })
    entries.set(key, value)
  }
}

function externalData(entries: ReadonlyMap<string, string>, name: string, file: string): ExternalData {
  const integer = (key: string) => {
    const text = entries.get(key)
    if (text === undefined) return undefined
    if (!/^\d{1,15}$/.test(text)) throw corrupt(file, `the ${key} of ${quote(name)} is ${quote(text)}`)
    return Number(text)
  }
  const location = entries.get('location') ?? ''
  const offset = integer('offset') ?? 0
  const length = integer('length')
  return { location, offset, ...(length !== undefined && { length }) }
}
