import type { Pacer } from '../pacer.ts'
import { ByteBuilder } from './byte-builder.ts'
import { type FileLayout, tensorBytes } from './file-layout.ts'
import { ftypeOf, typeLayout } from './ggml-types.ts'
import { SPECTRUM_BINS } from './mel.ts'
import type { LoadPlan } from './plan.ts'

const MAGIC = 0x67676d6c
/** Version of ggml's block layouts, times what the header multiplies it with; whisper.cpp's own quantiser writes it for quantised types. */
const LAYOUT_VERSION = 2000

/**
 * The file of whisper.cpp: header, mel filters, text tokens, then each tensor behind a record. Special tokens are left out: whisper.cpp makes
 * them up. `n_text_ctx` is the number of positions, whatever a checkpoint's `max_length` says.
 */
export async function ggmlLayout(plan: LoadPlan, pacer: Pacer): Promise<FileLayout> {
  const { hyperparameters: p, vocabulary, tensors, weightType, melFilters } = plan
  const head = new ByteBuilder()
  head.u32(MAGIC)
  const ftype = ftypeOf(weightType) + (typeLayout(weightType).block > 1 ? LAYOUT_VERSION : 0)
  const numbers = [
    p.vocabularySize,
    p.audioContext,
    p.audioState,
    p.audioHeads,
    p.audioLayers,
    p.textContext,
    p.textState,
    p.textHeads,
    p.textLayers,
    p.melBins,
    ftype,
    p.melBins,
    SPECTRUM_BINS,
  ]
  for (const number of numbers) head.i32(number)
  head.floats(melFilters)
  head.i32(vocabulary.lengths.length)
  let at = 0
  for (const length of vocabulary.lengths) {
    head.u32(length)
    head.bytes(vocabulary.bytes.subarray(at, at + length))
    at += length
    if (pacer.due) await pacer.turn()
  }
  const pieces = [{ offset: 0, bytes: head.finish() }]
  const offsets = new Float64Array(tensors.length)
  let size = head.length
  for (const [i, tensor] of tensors.entries()) {
    const record = new ByteBuilder()
    const name = Buffer.from(tensor.name)
    record.i32(tensor.shape.length)
    record.i32(name.byteLength)
    record.i32(tensor.type)
    for (const length of tensor.shape) record.i32(length)
    record.bytes(name)
    pieces.push({ offset: size, bytes: record.finish() })
    size += record.length
    offsets[i] = size
    size += tensorBytes(tensor)
  }
  return { size, pieces, offsets }
}
