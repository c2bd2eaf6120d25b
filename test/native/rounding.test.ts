import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { convertModel } from '../../lib/index.ts'
import { closePlan, readModel } from '../../lib/model/formats/index.ts'
import { GgmlType } from '../../lib/model/plan.ts'
import { encodeF32 } from '../fixtures/encode.ts'
import { assembleGgml, ggmlParts } from '../fixtures/ggml-builder.ts'
import { fromF16 } from '../fixtures/plan-values.ts'
import { tinyWeights } from '../fixtures/tiny-model.ts'
import { temporaryPath } from './support.ts'

const BLOCK = 32
const BLOCK_BYTES = 22
const tiny = { audioContext: 64, layers: 1, state: 64 }
const LINEAR = 'decoder.blocks.0.mlp.0.weight'
const EMBEDDING = 'decoder.token_embedding.weight'

/** Loud in every other column of a block, as far from the quiet ones as in the models of OpenAI. */
const gains = Float32Array.from({ length: tiny.state }, (_, column) => (column % 2 === 0 ? 4 : 0.25))

it('q5_0 rounds with the least squared error, of the output head as the last layer norm weighs it', async () => {
  const even = await convertedTo(new Float32Array(tiny.state).fill(1))
  const uneven = await convertedTo(gains)
  const equal = gains.map(() => 1)
  for (const name of [LINEAR, EMBEDDING]) {
    const plain = error(name, byLargest(weightsOf(name)), equal)
    expect(error(name, even(name), equal)).toBeLessThan(0.9 * plain)
  }
  expect(uneven(LINEAR)).toEqual(even(LINEAR))
  expect(error(EMBEDDING, uneven(EMBEDDING), gains)).toBeLessThan(
    0.9 * error(EMBEDDING, even(EMBEDDING), gains),
  )
})

it('gains that are no numbers count as one', async () => {
  const broken = await convertedTo(new Float32Array(tiny.state).fill(Number.NaN))
  const even = await convertedTo(new Float32Array(tiny.state).fill(1))
  expect(broken(EMBEDDING)).toEqual(even(EMBEDDING))
})

/** The values of tensors after a conversion of the tiny model to q5_0. */
async function convertedTo(norm: Float32Array): Promise<(name: string) => Float32Array> {
  const parts = ggmlParts({ ...tiny, type: GgmlType.F32 })
  const records = parts.records.map((record) =>
    record.name === 'decoder.ln.weight' ? { ...record, data: encodeF32(norm) } : record,
  )
  const path = temporaryPath('rounded.bin')
  await convertModel(assembleGgml({ ...parts, records }).bytes, path, { weightType: 'q5_0' })
  const plan = await readModel(path)
  try {
    const bytes = readFileSync(path)
    return (name) => {
      const offset = plan.tensors.find((tensor) => tensor.name === name)?.parts[0]?.offset as number
      return dequantised(bytes.subarray(offset), weightsOf(name).length)
    }
  } finally {
    await closePlan(plan)
  }
}

function weightsOf(name: string): Float32Array {
  return tinyWeights(tiny).get(name) as Float32Array
}

/** q5_0: a scale as f16, the fifth bits of 32 values, their lower four bits. */
function dequantised(bytes: Buffer, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => {
    const block = bytes.subarray(Math.floor(i / BLOCK) * BLOCK_BYTES)
    const j = i % BLOCK
    const low = ((block[6 + (j % 16)] as number) >> (j < 16 ? 0 : 4)) & 15
    const high = (block.readUInt32LE(2) >>> j) & 1
    return fromF16(block.readUInt16LE(0)) * (low + 16 * high - 16)
  })
}

/** What ggml does without weights of columns: the value that is furthest from zero becomes -16. */
function byLargest(values: Float32Array): Float32Array {
  return values.map((value, i) => {
    const block = values.subarray(i - (i % BLOCK), i - (i % BLOCK) + BLOCK)
    const scale = block.reduce((most, other) => (Math.abs(other) > Math.abs(most) ? other : most), 0) / -16
    return scale === 0 ? 0 : scale * Math.min(15, Math.floor(value / scale + 0.5))
  })
}

function error(name: string, rounded: Float32Array, columnGains: Float32Array): number {
  return weightsOf(name).reduce((sum, value, i) => {
    const gain = columnGains[i % tiny.state] as number
    return sum + (gain * (value - (rounded[i] as number))) ** 2
  }, 0)
}
