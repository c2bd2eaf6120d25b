import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { rowBytes } from '../../../lib/model/ggml-types.ts'
import { FileOnlyType, GgmlType, type LoadPlan } from '../../../lib/model/plan.ts'
import type { ByteSource } from '../../../lib/model/source.ts'
import {
  assembleCt2,
  type Ct2Parts,
  ct2Parts,
  ct2Tokens,
  tokenizerJson,
  writeCt2Folder,
} from '../../fixtures/ct2-builder.ts'
import { encodeF16 } from '../../fixtures/encode.ts'
import { tinyVocabulary, tinyWeights } from '../../fixtures/tiny-model.ts'
import { temporaryFolder } from './support.ts'

const root = temporaryFolder()
/** As small as it gets: the embedding is most of it. */
const SMALL = { state: 32, layers: 1 }
const parts = ct2Parts(SMALL)
const list = JSON.stringify(ct2Tokens())

function folderOf(name: string, change: Partial<Ct2Parts> = {}): string {
  const folder = join(root, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'model.bin'), assembleCt2({ ...parts, ...change }).bytes)
  writeFileSync(join(folder, 'vocabulary.json'), list)
  return folder
}

async function dataOf(plan: LoadPlan, name: string): Promise<Uint8Array> {
  const tensor = plan.tensors.find((candidate) => candidate.name === name)
  const part = tensor?.parts[0]
  const source = plan.sources[0]
  if (!tensor || !part || !source) throw new Error(`no tensor ${name}`)
  return await source.read(part.offset, part.rows * rowBytes(part.type, tensor.shape[0] as number))
}

/** Values of a quantised tensor, with its scales. */
async function valuesOf(plan: LoadPlan, name: string): Promise<Float32Array> {
  const part = plan.tensors.find((candidate) => candidate.name === name)?.parts[0]
  if (!part?.scale) throw new Error(`tensor ${name} has no scales`)
  const { count, offset } = part.scale
  const file = plan.sources[0] as ByteSource
  const scales = new Float32Array((await file.read(offset, 4 * count)).slice().buffer)
  const bytes = (await dataOf(plan, name)).slice().buffer
  const integers = part.type === FileOnlyType.I8 ? new Int8Array(bytes) : new Int16Array(bytes)
  return Float32Array.from(
    integers,
    (q, i) => q / (scales[Math.floor((i * count) / integers.length)] as number),
  )
}

describe('a CTranslate2 folder', () => {
  it('becomes a plan with all that is in it', async () => {
    const folder = join(root, 'f16')
    await writeCt2Folder(folder)
    const plan = await readModel(folder)
    expect(plan).toMatchObject({
      format: 'ctranslate2',
      dialect: 'binary version 6, float16',
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
      conversions: ['54 tensors f16 -> f32'],
    })
    expect(plan.melFilters.length).toBe(80 * 201)
    for (const [name, values] of tinyWeights()) {
      expect(Buffer.compare(await dataOf(plan, name), encodeF16(values)), name).toBe(0)
    }
    expect(Buffer.compare(plan.vocabulary.bytes, Buffer.concat(tinyVocabulary()))).toBe(0)
    expect([...plan.vocabulary.lengths]).toEqual(tinyVocabulary().map((token) => token.length))
    await closePlan(plan)
  })

  it('may be named by its model.bin', async () => {
    const plan = await readModel(join(folderOf('by-file'), 'model.bin'))
    expect(plan.format).toBe('ctranslate2')
    await closePlan(plan)
  })

  it.each([
    ['f32', ['19 tensors f32 -> f16']],
    ['bf16', ['19 tensors bf16 -> f16', '31 tensors bf16 -> f32']],
  ] as const)('of %s weights is loaded as f16, and says so', async (type, conversions) => {
    const plan = await readModel(folderOf(type, ct2Parts({ ...SMALL, type })))
    expect(plan.weightType).toBe(GgmlType.F16)
    expect(plan.conversions.toSorted()).toEqual(conversions)
    await closePlan(plan)
  })

  it('may have f32 beside f16', async () => {
    const full = ct2Parts({ ...SMALL, type: 'f32' }).variables.filter(({ name }) =>
      name.endsWith('/encodings'),
    )
    const variables = parts.variables.map(
      (variable) => full.find(({ name }) => name === variable.name) ?? variable,
    )
    const plan = await readModel(folderOf('mixed', { variables }))
    expect(plan.conversions).toEqual(['29 tensors f16 -> f32'])
    await closePlan(plan)
  })

  it.each([3, 4, 5])('may have binary version %d', async (version) => {
    const weights = version === 3 ? ct2Parts({ ...SMALL, type: 'f32' }) : parts
    const plan = await readModel(folderOf(`version-${version}`, { ...weights, version }))
    expect(plan.dialect).toBe(`binary version ${version}, float${version === 3 ? 32 : 16}`)
    await closePlan(plan)
  })

  it.each([
    ['int8_float32', { type: 'f32', quantized: 'int8' }, GgmlType.Q8_0],
    ['int8_float16', { type: 'f16', quantized: 'int8' }, GgmlType.Q8_0],
    ['int8_bfloat16', { type: 'bf16', quantized: 'int8' }, GgmlType.Q8_0],
    ['int16', { type: 'f32', quantized: 'int16' }, GgmlType.F16],
  ] as const)('may be quantised to %s', async (name, options, weightType) => {
    const plan = await readModel(folderOf(name, ct2Parts({ ...SMALL, ...options })))
    expect(plan.dialect).toBe(`binary version 6, ${name}`)
    expect(plan.weightType).toBe(weightType)
    const tolerance = options.quantized === 'int8' ? 0.51 / 16 / 127 : 0.51 / 16 / 1024
    for (const [tensor, values] of tinyWeights(SMALL)) {
      const type = plan.tensors.find((candidate) => candidate.name === tensor)?.parts[0]?.type
      if (type !== FileOnlyType.I8 && type !== FileOnlyType.I16) continue
      const loaded = await valuesOf(plan, tensor)
      const worst = loaded.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - (values[i] as number))),
        0,
      )
      expect(worst, tensor).toBeLessThan(tolerance)
    }
    await closePlan(plan)
  })

  it('keeps int8 as f16 when its rows are not made of blocks of 32', async () => {
    const odd = { state: 40, heads: 5, layers: 1 }
    const plan = await readModel(folderOf('odd', ct2Parts({ ...odd, quantized: 'int8' })))
    expect(plan.weightType).toBe(GgmlType.F16)
    await closePlan(plan)
  })

  it('may store equal variables once', async () => {
    const [kept, dropped] = [
      'decoder/layer_0/ffn/layer_norm/gamma',
      'encoder/layer_0/ffn/layer_norm/gamma',
    ] as const
    const variables = parts.variables.filter(({ name }) => name !== dropped)
    const aliases: Ct2Parts['aliases'] = [...parts.aliases, [dropped, kept]]
    const plan = await readModel(folderOf('aliases', { variables, aliases }))
    const norms = ['decoder.blocks.0.mlp_ln.weight', 'encoder.blocks.0.mlp_ln.weight']
    const offsets = norms.map((name) => plan.tensors.find((tensor) => tensor.name === name)?.parts[0]?.offset)
    expect(offsets[0]).toBe(offsets[1])
    await closePlan(plan)
  })
})

describe('the vocabulary beside it', () => {
  const options = { ...SMALL, multilingual: true }
  const tokens = ct2Tokens(options)
  const expected = Buffer.concat(tinyVocabulary(options))
  const folder = folderOf('vocabulary', ct2Parts(options))
  const escaped = JSON.stringify(tokens, null, 2).replace(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  const withoutTimes = tokens.slice(0, tokens.indexOf('<|0.00|>'))
  const use = (files: Record<string, string>) => {
    for (const file of ['vocabulary.json', 'vocabulary.txt', 'tokenizer.json'])
      rmSync(join(folder, file), { force: true })
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  }

  it.each([
    ['vocabulary.json', JSON.stringify(tokens)],
    ['vocabulary.json', escaped],
    ['vocabulary.txt', `${tokens.join('\n')}\n`],
    ['vocabulary.txt', tokens.join('\n')],
    ['tokenizer.json', tokenizerJson(tokens)],
    ['tokenizer.json', tokenizerJson(withoutTimes)],
    ['vocabulary.json', JSON.stringify(tokens.map((token) => token.replace('nospeech', 'nocaptions')))],
    ['vocabulary.json', JSON.stringify(tokens.map((token) => token.replace('<|he|>', '<|iw|>')))],
  ])('may be %s (%#)', async (file, text) => {
    use({ [file]: text })
    const plan = await readModel(folder)
    expect(plan.vocabulary.lengths.length).toBe(50257)
    expect(Buffer.compare(plan.vocabulary.bytes, expected)).toBe(0)
    await closePlan(plan)
  })

  it('is taken from vocabulary.json first', async () => {
    use({
      'vocabulary.json': JSON.stringify(tokens),
      'vocabulary.txt': 'something else',
      'tokenizer.json': '!',
    })
    await closePlan(await readModel(folder))
  })

  it('is read in slices, between which the event loop runs', async () => {
    use({ 'tokenizer.json': tokenizerJson(tokens) })
    let turns = 0
    const count = () => {
      turns++
      timer = setImmediate(count)
    }
    let timer = setImmediate(count)
    await closePlan(await readModel(folder))
    clearImmediate(timer)
    // Parsing takes 40 ms and more, in slices of 2.
    expect(turns).toBeGreaterThan(10)
  })

  it('is not read to its end after an abort', async () => {
    use({ 'tokenizer.json': tokenizerJson(tokens) })
    const controller = new AbortController()
    const reading = readModel(folder, { signal: controller.signal })
    const reason = new Error('enough')
    setTimeout(() => controller.abort(reason), 1)
    await expect(reading).rejects.toBe(reason)
  })
})
