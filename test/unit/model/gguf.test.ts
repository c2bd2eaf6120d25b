import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { melFilterBank } from '../../../lib/model/mel.ts'
import { GgmlType } from '../../../lib/model/plan.ts'
import { requiredTensors } from '../../../lib/model/required-tensors.ts'
import { ct2Tokens, tokenizerJson } from '../../fixtures/ct2-builder.ts'
import { encode } from '../../fixtures/encode.ts'
import { buildGgml } from '../../fixtures/ggml-builder.ts'
import {
  assembleGguf,
  filterRecord,
  type GgufDialect,
  type GgufParts,
  ggufParts,
} from '../../fixtures/gguf-builder.ts'
import { configJson, writeHuggingFaceFiles } from '../../fixtures/hf-files.ts'
import { tinyHyperparameters, tinyVocabulary, tinyWeights } from '../../fixtures/tiny-model.ts'
import { failureOf, temporaryFolder } from './support.ts'

const folder = temporaryFolder()
const tiny = { layers: 1, audioContext: 64 }

function withRecord(
  parts: GgufParts,
  name: string,
  change: Partial<GgufParts['records'][number]>,
): GgufParts {
  const records = parts.records.map((record) => (record.name === name ? { ...record, ...change } : record))
  return { ...parts, records }
}

describe('a GGUF file', () => {
  it.each<[GgufDialect, string]>([
    ['specification', 'version 3, GGUF specification'],
    ['transcribe.cpp', 'version 3, transcribe.cpp'],
    ['flat', 'version 3, other keys'],
  ])('with the keys of %s gives a whole plan', async (dialect, called) => {
    const parts = ggufParts({ ...tiny, dialect, heads: 2 })
    const { bytes } = assembleGguf(parts)
    const plan = await readModel(bytes)
    expect(plan).toMatchObject({ format: 'gguf', dialect: called, weightType: GgmlType.F16, conversions: [] })
    expect(plan.hyperparameters).toEqual(tinyHyperparameters({ ...tiny, heads: 2 }))
    expect(plan.melFilters).toEqual(melFilterBank(80))
    expect(Buffer.compare(plan.vocabulary.bytes, Buffer.concat(tinyVocabulary()))).toBe(0)
    const weights = tinyWeights({ ...tiny, heads: 2 })
    for (const [i, { name }] of requiredTensors(plan.hyperparameters).entries()) {
      const tensor = plan.tensors.find((found) => found.name === name)
      const [part] = tensor?.parts ?? []
      const expected = encode(part?.type as GgmlType, weights.get(name) as Float32Array, i + 1)
      const start = part?.offset as number
      expect(Buffer.compare(bytes.subarray(start, start + expected.length), expected), name).toBe(0)
    }
  })

  it('of version 2 is the same', async () => {
    const plan = await readModel(assembleGguf({ ...ggufParts(tiny), version: 2 }).bytes)
    expect(plan.dialect).toBe('version 2, GGUF specification')
  })

  it('may be an old ggml file by another name', async () => {
    writeFileSync(join(folder, 'old.gguf'), buildGgml(tiny))
    const plan = await readModel(join(folder, 'old.gguf'))
    expect(plan.format).toBe('ggml')
    await closePlan(plan)
  })

  it('without metadata takes its companions', async () => {
    const place = join(folder, 'plain')
    await writeHuggingFaceFiles(place, { ...tiny, heads: 2 })
    writeFileSync(join(place, 'model.gguf'), assembleGguf(ggufParts({ ...tiny, dialect: 'candle' })).bytes)
    const plan = await readModel(join(place, 'model.gguf'))
    expect(plan.dialect).toBe('version 3, candle')
    expect(plan.hyperparameters.audioHeads).toBe(2)
    await closePlan(plan)
  })

  it('finds companions that are named after it', async () => {
    const place = join(folder, 'numbered')
    mkdirSync(place)
    writeFileSync(join(place, 'config-tiny-en.json'), JSON.stringify(configJson({ ...tiny, heads: 4 })))
    writeFileSync(join(place, 'tokenizer-tiny-en.json'), tokenizerJson(ct2Tokens({})))
    writeFileSync(
      join(place, 'model-tiny-en-q80.gguf'),
      assembleGguf(ggufParts({ ...tiny, dialect: 'candle' })).bytes,
    )
    const plan = await readModel(join(place, 'model-tiny-en-q80.gguf'))
    expect(plan.hyperparameters.audioHeads).toBe(4)
    await closePlan(plan)
  })

  it('has the vocabulary of OpenAI where it has none', async () => {
    const { bytes } = assembleGguf(ggufParts({ ...tiny, dialect: 'candle' }))
    writeFileSync(join(folder, 'alone.gguf'), bytes)
    for (const input of [bytes, join(folder, 'alone.gguf')]) {
      const plan = await readModel(input)
      await closePlan(plan)
      expect(plan.conversions).toContain("it has no vocabulary of its own: OpenAI's is used")
    }
  })

  it('may leave out the positions of the encoder', async () => {
    const parts = ggufParts({ layers: 1 })
    const records = parts.records.filter(({ name }) => name !== 'encoder.positional_embedding')
    const plan = await readModel(assembleGguf({ ...parts, records }).bytes)
    expect(plan.conversions).toEqual(['the positions of the encoder are computed'])
  })

  it('may have all of its tensors quantised, kernels flat', async () => {
    const parts = ggufParts({ ...tiny, type: GgmlType.Q8_0 })
    const weights = tinyWeights(tiny)
    const records = parts.records.map((record, i) => {
      const flat: Record<string, readonly number[]> = {
        'encoder.conv1.weight': [3 * 80 * 64],
        'encoder.conv2.weight': [3 * 64, 64],
      }
      const shape = flat[record.name] ?? record.shape
      return {
        ...record,
        shape,
        type: GgmlType.Q8_0,
        data: encode(GgmlType.Q8_0, weights.get(record.name) as Float32Array, i + 1),
      }
    })
    const plan = await readModel(assembleGguf({ ...parts, records }).bytes)
    expect(plan.weightType).toBe(GgmlType.Q8_0)
    const part = (name: string) => plan.tensors.find((tensor) => tensor.name === name)?.parts[0]
    expect(part('encoder.conv2.weight')).toMatchObject({ columns: 192, rows: 64, type: GgmlType.Q8_0 })
    expect(part('encoder.conv1.weight')).toMatchObject({ columns: 15_360, rows: 1 })
    expect(part('encoder.conv1.bias')).toMatchObject({ columns: 64, rows: 1 })
    expect(part('encoder.ln_post.bias')).not.toHaveProperty('columns')
  })

  it('with weights of several types becomes q8_0, or f16 beside floats', async () => {
    const options = { ...tiny, state: 256 }
    const name = 'decoder.blocks.0.attn.out.weight'
    const data = encode(GgmlType.Q6_K, tinyWeights(options).get(name) as Float32Array, 1)
    const mixed = withRecord(ggufParts({ ...options, type: GgmlType.Q4_K }), name, {
      type: GgmlType.Q6_K,
      data,
    })
    const plan = await readModel(assembleGguf(mixed).bytes)
    expect(plan.weightType).toBe(GgmlType.Q8_0)
    expect(plan.conversions).toContain('1 tensors q6_k -> q8_0')
    const beside = withRecord(ggufParts(options), name, { type: GgmlType.Q6_K, data })
    expect((await readModel(assembleGguf(beside).bytes)).weightType).toBe(GgmlType.F16)
  })

  it.each([
    ['mel_filters', [201, 80]],
    ['frontend.mel_filterbank', [80, 201]],
  ])('may have %s of shape [%s], which are compared', async (name, shape) => {
    const bank = melFilterBank(80)
    const isTransposed = shape[0] === 80
    const values = isTransposed
      ? Float32Array.from(bank, (_, i) => bank[(i % 80) * 201 + Math.floor(i / 80)] as number)
      : bank
    const parts = ggufParts(tiny)
    const withFilters = (filters: Float32Array) =>
      assembleGguf({ ...parts, records: [...parts.records, filterRecord(name, shape, filters)] }).bytes
    expect((await readModel(withFilters(values))).melFilters).toEqual(bank)
    expect(await failureOf(readModel(withFilters(values.map((value) => value * 1.1))))).toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining('mel filters are not those of Whisper'),
    })
  })
})
