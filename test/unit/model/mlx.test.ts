import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { type NamedTensor, openAiTensors } from '../../fixtures/hf-names.ts'
import { expectValues, valuesOf } from '../../fixtures/plan-values.ts'
import { buildSafetensors } from '../../fixtures/safetensors-builder.ts'
import { tinyHyperparameters, tinyWeights } from '../../fixtures/tiny-model.ts'
import { failureOf, temporaryFolder } from './support.ts'

const root = temporaryFolder()
const SIZE = { state: 64, layers: 1 }

/** As mlx-whisper 0.4.3 has its weights: no positions of the encoder, and integers among the floats. */
function mlxTensors(): NamedTensor[] {
  const tensors = openAiTensors(SIZE)
    .filter(({ name }) => name !== 'encoder.positional_embedding')
    .map((tensor) => {
      const name = tensor.name.replace('.mlp.0.', '.mlp1.').replace('.mlp.2.', '.mlp2.')
      return /conv\d\.weight/.test(name) ? { ...transposed(tensor), name } : { ...tensor, name }
    })
  const heads = { name: 'alignment_heads', shape: [3, 2], type: 'i64', data: new Uint8Array(48) }
  return [...tensors, heads as unknown as NamedTensor]
}

/** [outputs, inputs, width] as [outputs, width, inputs], of two bytes each. */
function transposed({ name, shape, type, data }: NamedTensor): NamedTensor {
  const [outputs, inputs, width] = shape as [number, number, number]
  const from = new Uint16Array(data.slice().buffer)
  const to = new Uint16Array(from.length)
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      for (let w = 0; w < width; w++)
        to[(o * width + w) * inputs + i] = from[(o * inputs + i) * width + w] as number
  return { name, shape: [outputs, width, inputs], type, data: new Uint8Array(to.buffer) }
}

function folderWith(name: string, tensors: readonly NamedTensor[]): string {
  const folder = join(root, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'whisper', n_audio_state: 64 }))
  writeFileSync(join(folder, 'weights.safetensors'), buildSafetensors(tensors))
  return folder
}

it('a folder of MLX becomes a plan with all that is in it', async () => {
  const plan = await readModel(folderWith('whole', mlxTensors()))
  expect(plan).toMatchObject({
    format: 'safetensors',
    dialect: 'MLX, one file',
    hyperparameters: tinyHyperparameters(SIZE),
  })
  expect(plan.conversions).toContain('the positions of the encoder are computed')
  for (const [name, values] of tinyWeights(SIZE)) {
    if (name !== 'encoder.positional_embedding') expectValues(name, await valuesOf(plan, name), values)
  }
  await closePlan(plan)
})

it('quantised weights of MLX are refused by their type', async () => {
  const packed = { name: 'decoder.token_embedding.weight', type: 'u32' } as unknown as NamedTensor
  const tensors = mlxTensors().map((tensor) =>
    tensor.name === packed.name ? { ...tensor, ...packed } : tensor,
  )
  expect(await failureOf(readModel(folderWith('quantised', tensors)))).toMatchObject({
    code: 'ERR_MODEL_UNSUPPORTED',
    message: expect.stringContaining('tensor "decoder.token_embedding.weight" is "U32"'),
  })
})
