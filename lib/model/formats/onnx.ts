import { basename } from 'node:path'
import type { Pacer } from '../../pacer.ts'
import { planCheckpoint } from '../checkpoint.ts'
import { companionFolder, companionPath } from '../companions.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import { rowBytes } from '../ggml-types.ts'
import type { LoadPlan } from '../plan.ts'
import { quantisedGraph, quantisedOnly } from '../quantised-graphs.ts'
import type { ByteSource } from '../source.ts'
import { openFileSource } from '../sources.ts'
import type { StoredTensor } from '../stored-tensor.ts'
import { readHuggingFaceConfig } from './hf-config.ts'
import { huggingFaceVocabulary } from './hf-vocabulary.ts'
import { type ExternalData, type OnnxTensor, readOnnxGraph } from './onnx-graph.ts'
import { type NamedTensor, nameTensors } from './onnx-names.ts'

/**
 * Reads a folder of ONNX files as Optimum exports it: `encoder_model.onnx` and `decoder_model.onnx` or `decoder_model_merged.onnx`, with the
 * configuration and vocabulary of Hugging Face beside them or in the folder above `onnx/`.
 *
 * Only the weights are taken: the graphs tell which they are, and are not run.
 *
 * @param source the encoder or the decoder
 * @param folder where the other one is; `null` when the model came as bytes, which are not enough
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, `ERR_MODEL_UNSUPPORTED`, or `ERR_MODEL_NOT_FOUND` when the vocabulary is missing
 */
export async function readOnnx(source: ByteSource, folder: string | null, pacer: Pacer): Promise<LoadPlan> {
  if (folder === null)
    throw unsupported(source.name, 'an ONNX model is several files', ['Pass the path of its folder instead'])
  const files = new OnnxFiles(source, folder)
  try {
    const [encoder, decoder, dialect] = await files.pair()
    const tensors = new Map<string, StoredTensor>()
    for (const [part, index] of [
      ['encoder', encoder],
      ['decoder', decoder],
    ] as const) {
      const file = files.sources[index] as ByteSource
      const named = nameTensors(await readOnnxGraph(file, pacer), part, file.name)
      for (const [name, tensor] of named) tensors.set(name, await files.stored(name, tensor, index))
    }
    const companions = await companionFolder(source.name)
    const embedding = tensors.get('decoder.token_embedding.weight')?.shape[1] ?? 0
    return await planCheckpoint(
      {
        format: 'onnx',
        dialect,
        name: folder,
        sources: files.sources,
        tensors,
        config: await readHuggingFaceConfig(companions),
        vocabulary: huggingFaceVocabulary(companions, folder, embedding, pacer),
      },
      pacer,
    )
  } catch (error) {
    await files.close()
    throw error
  }
}

/** Ends of the names of graphs whose weights are floats; a half of one may be used with a half of the other. */
const FLOAT_VARIANTS = ['', '_fp16'] as const

const ENCODER = /^encoder_model(_\w+)?\.onnx$/
const DECODER = /^decoder_model(_merged)?(_\w+)?\.onnx$/

/** The files of a model; those that it opened are closed by {@link close}. */
class OnnxFiles {
  readonly sources: ByteSource[]
  readonly #folder: string
  readonly #external = new Map<string, number>()

  constructor(source: ByteSource, folder: string) {
    this.sources = [source]
    this.#folder = folder
  }

  /** Indices of the encoder and the decoder, and which decoder it is. */
  async pair(): Promise<[encoder: number, decoder: number, dialect: string]> {
    const { name } = this.sources[0] as ByteSource
    const file = basename(name)
    const [isEncoder, encoderVariant = ''] = ENCODER.exec(file) ?? []
    if (isEncoder) {
      const names = [...new Set([encoderVariant, ...FLOAT_VARIANTS])].flatMap((variant) => [
        `decoder_model${variant}.onnx`,
        `decoder_model_merged${variant}.onnx`,
      ])
      const decoder = await this.#first(names)
      return [0, 1, dialectOf(decoder)]
    }
    const [isDecoder, , variant = ''] = DECODER.exec(file) ?? []
    if (isDecoder) {
      await this.#first([variant, ...FLOAT_VARIANTS].map((either) => `encoder_model${either}.onnx`))
      return [1, 0, dialectOf(file)]
    }
    if (/^decoder_with_past/.test(file)) {
      throw unsupported(name, 'a decoder that needs a past has not all weights', [
        'Pass the folder, with decoder_model.onnx in it',
      ])
    }
    throw unsupported(name, 'it is an ONNX file that is neither encoder_model.onnx nor decoder_model.onnx', [
      'Pass a folder as optimum-cli export onnx writes it',
    ])
  }

  async #first(names: readonly string[]): Promise<string> {
    for (const name of names) {
      const path = await companionPath(this.#folder, name)
      if (path === undefined) continue
      this.sources.push(await openFileSource(path))
      return name
    }
    const quantised = await quantisedGraph(this.#folder)
    if (quantised !== undefined) throw quantisedOnly(this.#folder, quantised)
    throw unsupported(this.#folder, `there is no ${names.join(' and no ')} beside its other half`)
  }

  /** @param graph index of the source that the tensor was found in */
  async stored(name: string, { tensor, isTransposed }: NamedTensor, graph: number): Promise<StoredTensor> {
    const { type, shape } = tensor
    const file = this.sources[graph] as ByteSource
    if (type === undefined)
      throw unsupported(file.name, `tensor ${name} is neither float32, float16 nor bfloat16`)
    const bytes = shape.reduce((product, size) => product * size, rowBytes(type, 1))
    const { source, offset, length } = await this.#place(tensor, name, graph)
    const { size } = this.sources[source] as ByteSource
    if (length !== undefined && length !== bytes)
      throw corrupt(
        file.name,
        `tensor ${name} has ${length} bytes, where its shape [${shape}] needs ${bytes}`,
      )
    if (offset + bytes > size) {
      const { name: other } = this.sources[source] as ByteSource
      throw corrupt(other, `it ends at byte ${size}, and tensor ${name} at byte ${offset + bytes}`)
    }
    const [rows = 1, columns = 1] = shape
    const place = { source, offset, type }
    if (isTransposed) return { ...place, shape: [rows, columns], strides: [columns, 1] }
    return { ...place, shape: shape.toReversed() }
  }

  async #place(
    { data }: OnnxTensor,
    name: string,
    graph: number,
  ): Promise<{ source: number; offset: number; length?: number }> {
    if (data === undefined) {
      const file = (this.sources[graph] as ByteSource).name
      throw unsupported(file, `the values of tensor ${name} are written one by one`, [
        'Save the model again with onnx.save(): it writes them as raw bytes',
      ])
    }
    if (!('location' in data)) return { source: graph, ...data }
    const { offset, length } = data
    return { source: await this.#open(data, graph), offset, ...(length !== undefined && { length }) }
  }

  async #open({ location }: ExternalData, graph: number): Promise<number> {
    const known = this.#external.get(location)
    if (known !== undefined) return known
    const path = await companionPath(this.#folder, location.replace(/^\.\//, ''))
    if (path === undefined) {
      const file = (this.sources[graph] as ByteSource).name
      throw corrupt(file, `its weights are in ${quote(location)}, which is missing`)
    }
    this.#external.set(location, this.sources.length)
    return this.sources.push(await openFileSource(path)) - 1
  }

  async close(): Promise<void> {
    await Promise.all(this.sources.slice(1).map((source) => source.close()))
  }
}

function dialectOf(decoder: string): string {
  return decoder.includes('_merged') ? 'merged decoder' : 'separate decoders'
}
