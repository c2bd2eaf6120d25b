import { readdirSync, readlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { ftypeOf, rowBytes } from '../../../lib/model/ggml-types.ts'
import { GgmlType, type LoadPlan } from '../../../lib/model/plan.ts'
import { requiredTensors } from '../../../lib/model/required-tensors.ts'
import { assembleGgml, buildGgml, type GgmlParts, ggmlParts } from '../../fixtures/ggml-builder.ts'
import { tinyHyperparameters } from '../../fixtures/tiny-model.ts'
import { failureOf, temporaryFolder } from './support.ts'

const parts = ggmlParts()
const { bytes } = assembleGgml(parts)
const tensorOf = (plan: LoadPlan, name: string) => plan.tensors.find((tensor) => tensor.name === name)

/** The data of a tensor as the plan finds it. */
function dataOf(plan: LoadPlan, input: Uint8Array, name: string): Uint8Array {
  const tensor = tensorOf(plan, name)
  const part = tensor?.parts[0]
  if (!tensor || !part) throw new Error(`no tensor ${name}`)
  return input.subarray(part.offset, part.offset + part.rows * rowBytes(part.type, tensor.shape[0] as number))
}

/** A model of one layer with all zero weights of any type: quickly made, but not for running. */
function emptyModel(type: GgmlType, state: number, kernels: GgmlType = GgmlType.F16): GgmlParts {
  const records = requiredTensors(tinyHyperparameters({ layers: 1, state })).map(({ name, shape, kind }) => {
    const stored = { weight: type, convolution: kernels, vector: GgmlType.F32 }[kind]
    const [length, ...others] = shape as [number, ...number[]]
    const rows = others.reduce((product, size) => product * size, 1)
    return { name, shape, type: stored, data: new Uint8Array(rows * rowBytes(stored, length)) }
  })
  const header = {
    ...parts.header,
    n_audio_state: state,
    n_text_state: state,
    n_audio_layer: 1,
    n_text_layer: 1,
  }
  return { ...parts, header: { ...header, ftype: ftypeOf(type) }, records }
}

describe('a legacy ggml file', () => {
  it('becomes a plan with all that is in it', async () => {
    const plan = await readModel(bytes)
    expect(plan).toMatchObject({
      format: 'ggml',
      dialect: 'ftype 1',
      hyperparameters: {
        vocabularySize: 51864,
        audioContext: 1500,
        audioState: 64,
        audioHeads: 1,
        audioLayers: 2,
        textContext: 448,
        textState: 64,
        textHeads: 1,
        textLayers: 2,
        melBins: 80,
      },
      weightType: GgmlType.F16,
      conversions: [],
    })
    expect(plan.melFilters).toEqual(parts.filters)
    expect(Buffer.compare(plan.vocabulary.bytes, Buffer.concat(parts.tokens))).toBe(0)
    expect([...plan.vocabulary.lengths]).toEqual(parts.tokens.map((token) => token.length))
    expect(plan.tensors.length).toBe(parts.records.length)
    for (const { name, shape, data } of parts.records) {
      expect(tensorOf(plan, name)?.shape).toEqual(shape)
      expect(Buffer.compare(dataOf(plan, bytes, name), data)).toBe(0)
    }
    await closePlan(plan)
  })

  it('is the same on disk, whatever its name', async () => {
    const path = join(temporaryFolder(), 'model.gguf')
    writeFileSync(path, bytes)
    const fromFile = await readModel(path)
    const fromBytes = await readModel(bytes)
    expect(fromFile.sources[0]?.native).toEqual({ fd: expect.any(Number) })
    const small = (plan: LoadPlan) => ({ ...plan, sources: [], vocabulary: null, melFilters: null })
    expect(small(fromFile)).toEqual(small(fromBytes))
    expect(Buffer.compare(fromFile.vocabulary.bytes, fromBytes.vocabulary.bytes)).toBe(0)
    await closePlan(fromFile)
  })

  it('may have its tensors in any order', async () => {
    const shuffled = assembleGgml({ ...parts, records: parts.records.toReversed() }).bytes
    const plan = await readModel(shuffled)
    const name = 'decoder.blocks.1.mlp.2.weight'
    const expected = parts.records.find((record) => record.name === name)?.data as Uint8Array
    expect(Buffer.compare(dataOf(plan, shuffled, name), expected)).toBe(0)
  })

  it('loses the special tokens that it lists: whisper.cpp makes them up', async () => {
    const tokens = [...parts.tokens, new TextEncoder().encode('<|endoftext|>')]
    const plan = await readModel(assembleGgml({ ...parts, tokens, tokenCount: tokens.length }).bytes)
    expect(plan.vocabulary.lengths.length).toBe(50256)
  })

  it.each([
    ['Q4_0', 64],
    ['Q4_1', 64],
    ['Q5_0', 64],
    ['Q5_1', 64],
    ['Q8_0', 64],
    ['Q2_K', 256],
    ['Q3_K', 256],
    ['Q4_K', 256],
    ['Q5_K', 256],
    ['Q6_K', 256],
  ] as const)('with %s weights keeps them as they are', async (name, state) => {
    const plan = await readModel(assembleGgml(emptyModel(GgmlType[name], state)).bytes)
    expect(plan.weightType).toBe(GgmlType[name])
    expect(tensorOf(plan, 'decoder.token_embedding.weight')?.type).toBe(GgmlType[name])
    expect(tensorOf(plan, 'encoder.conv1.weight')?.type).toBe(GgmlType.F16)
    expect(tensorOf(plan, 'encoder.conv1.bias')?.type).toBe(GgmlType.F32)
    expect(plan.conversions).toEqual([])
  })

  it('with bf16 weights is loaded as f16, and says so', async () => {
    const plan = await readModel(assembleGgml(emptyModel(GgmlType.BF16, 64)).bytes)
    expect(plan.weightType).toBe(GgmlType.F16)
    expect(plan.conversions).toEqual([expect.stringMatching(/^\d+ tensors bf16 -> f16$/)])
  })

  it('with f32 weights is loaded as f16, and says so', async () => {
    const plan = await readModel(buildGgml({ type: GgmlType.F32, state: 32 }))
    expect(plan.weightType).toBe(GgmlType.F16)
    expect(tensorOf(plan, 'encoder.conv2.weight')).toMatchObject({
      type: GgmlType.F16,
      parts: [{ type: GgmlType.F32 }],
    })
    expect(plan.conversions).toEqual(['35 tensors f32 -> f16'])
  })

  it('with f32 kernels beside quantised weights, as whisper.cpp makes it of an f32 model, has them as f16', async () => {
    const plan = await readModel(assembleGgml(emptyModel(GgmlType.Q5_0, 64, GgmlType.F32)).bytes)
    expect(plan.weightType).toBe(GgmlType.Q5_0)
    expect(plan.conversions).toEqual(['2 tensors f32 -> f16'])
  })

  it.each([
    ['multilingual', { multilingual: true, state: 32 }],
    ['short contexts', { audioContext: 1, textContext: 32, state: 32 }],
    ['128 mel bins', { melBins: 128, state: 32 }],
    ['several heads', { heads: 8, state: 32 }],
    ['many layers', { layers: 20, state: 32 }],
  ])('%s', async (_, options) => {
    const plan = await readModel(buildGgml(options))
    expect(plan.tensors.length).toBe(11 + 39 * plan.hyperparameters.audioLayers)
  })

  it('with layout version 2 of quantised weights is the usual case', async () => {
    const quantized = emptyModel(GgmlType.Q8_0, 64)
    quantized.header.ftype += 2000
    expect((await readModel(assembleGgml(quantized).bytes)).weightType).toBe(GgmlType.Q8_0)
  })
})

describe('reading', () => {
  it('stops when it is aborted', async () => {
    const reason = new Error('enough')
    await expect(readModel(bytes, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const reading = readModel(bytes, { signal: controller.signal })
    controller.abort(reason)
    await expect(reading).rejects.toBe(reason)
  })

  it('answers at once for a file of 6 GB', async () => {
    const path = join(temporaryFolder(), 'sparse.bin')
    writeFileSync(path, bytes)
    truncateSync(path, 6e9)
    const start = performance.now()
    const error = await failureOf(readModel(path))
    expect(performance.now() - start).toBeLessThan(1000)
    expect(error.code).toBe('ERR_MODEL_CORRUPT')
    expect(error.message).toContain(`at byte ${bytes.length} is no header of a tensor`)
  })

  it('closes the file after a failure', async () => {
    const path = join(temporaryFolder(), 'broken.bin')
    writeFileSync(path, bytes.subarray(0, 5000))

    const isOpen = () =>
      readdirSync('/proc/self/fd').some((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`) === path
        } catch {
          return false
        }
      })
    for (let i = 0; i < 5; i++) await failureOf(readModel(path))
    expect(isOpen()).toBe(false)
  })
})
