// Needs the weights of `base`: fetched once with pip, about 130 MB; and python3.
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { downloadModel, loadModel, type Transcription } from '../../lib/index.ts'
import { closePlan, readModel } from '../../lib/model/formats/index.ts'
import { rowBytes } from '../../lib/model/ggml-types.ts'
import type { LoadPlan } from '../../lib/model/plan.ts'
import { huggingFaceName, type NamedTensor } from '../fixtures/hf-names.ts'
import { scratchFolder } from '../fixtures/material.ts'
import { buildSafetensors } from '../fixtures/safetensors-builder.ts'

const sound = 'vendor/whisper.cpp/bindings/go/samples/jfk.wav'
let scratch: Awaited<ReturnType<typeof scratchFolder>>
let tensors: NamedTensor[]
let vocabulary: Buffer
let expected: string

beforeAll(async () => {
  scratch = await scratchFolder()
  const folder = await downloadModel('base')
  const plan = await readModel(folder)
  vocabulary = Buffer.from(plan.vocabulary.bytes)
  tensors = await Promise.all(plan.tensors.map((_, i) => tensorOf(plan, i)))
  await closePlan(plan)
  for (const name of ['safetensors', 'pytorch']) {
    mkdirSync(join(scratch.path, name))
    copyFileSync(join(folder, 'tokenizer.json'), join(scratch.path, name, 'tokenizer.json'))
  }
  expected = await saidBy(folder)
})
afterAll(() => scratch?.[Symbol.asyncDispose]())

/** A tensor of the CTranslate2 model, all of whose weights are f16. */
async function tensorOf(plan: LoadPlan, index: number): Promise<NamedTensor> {
  const { name, shape, parts } = plan.tensors[index] as LoadPlan['tensors'][number]
  const [part] = parts
  const source = plan.sources[part?.source ?? -1]
  if (part === undefined || source === undefined) throw new Error(`${name} has no data`)
  const data = await source.read(part.offset, part.rows * rowBytes(part.type, shape[0] as number))
  return { name, shape: shape.filter((size) => size !== 1).toReversed(), type: 'f16', data }
}

/** All that a model says, with its probabilities to the last bit. */
async function saidBy(path: string): Promise<string> {
  const model = await loadModel(path, { backend: 'cpu' })
  try {
    const { segments } = await (model.transcribe(sound, {
      language: 'en',
      beamSize: 1,
      temperature: 0,
    }) as Transcription)
    return JSON.stringify(segments.map(({ text, averageLogProbability }) => [text, averageLogProbability]))
  } finally {
    await model.dispose()
  }
}

async function vocabularyOf(path: string): Promise<Buffer> {
  const plan = await readModel(path)
  await closePlan(plan)
  return Buffer.from(plan.vocabulary.bytes)
}

/** Has Python write a file of torch.save. */
async function torchFile(output: string, protocol: number, names: (name: string) => string, dims: unknown) {
  const table = join(scratch.path, 'table.json')
  const data = join(scratch.path, 'data')
  let offset = 0
  const entries = tensors.map(({ name, shape, data }) => {
    offset += data.byteLength
    return [names(name), 'HalfStorage', offset - data.byteLength, data.byteLength, shape]
  })
  writeFileSync(table, JSON.stringify({ dims, tensors: entries }))
  writeFileSync(data, Buffer.concat(tensors.map((tensor) => tensor.data)))
  const program = join(import.meta.dirname, '../fixtures/torch_file.py')
  await promisify(execFile)('python3', [program, table, data, output, `${protocol}`])
}

describe('the weights of base say the same, to the last bit,', () => {
  it('in safetensors', async () => {
    const folder = join(scratch.path, 'safetensors')
    const renamed = tensors.map((tensor) => ({ ...tensor, name: huggingFaceName(tensor.name) }))
    writeFileSync(join(folder, 'model.safetensors'), buildSafetensors(renamed))
    expect(await saidBy(folder)).toBe(expected)
  })

  it.each([2, 3, 4, 5])('in a pytorch_model.bin of Python, protocol %d', async (protocol) => {
    const folder = join(scratch.path, 'pytorch')
    await torchFile(join(folder, 'pytorch_model.bin'), protocol, huggingFaceName, null)
    expect(await saidBy(folder)).toBe(expected)
  })

  it("in OpenAI's .pt of Python, which has no vocabulary", async () => {
    const path = join(scratch.path, 'base.pt')
    const dims = {
      n_vocab: 51865,
      n_audio_layer: 6,
      n_audio_head: 8,
      n_text_layer: 6,
      n_text_head: 8,
      n_mels: 80,
    }
    await torchFile(path, 2, (name) => name, dims)
    expect(Buffer.compare(await vocabularyOf(path), vocabulary)).toBe(0)
    expect(await saidBy(path)).toBe(expected)
  })
})
