import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { rowBytes } from '../../../lib/model/ggml-types.ts'
import { GgmlType, type LoadPlan } from '../../../lib/model/plan.ts'
import {
  assembleCt2,
  ct2Parts,
  ct2Tokens,
  tokenizerJson,
  writeCt2Folder,
} from '../../fixtures/ct2-builder.ts'
import { encodeF16 } from '../../fixtures/encode.ts'
import { tinyVocabulary, tinyWeights } from '../../fixtures/tiny-model.ts'
import { temporaryFolder } from './support.ts'

const root = temporaryFolder()

async function folderOf(name: string, options = {}): Promise<string> {
  const folder = join(root, name)
  await writeCt2Folder(folder, options)
  return folder
}

async function dataOf(plan: LoadPlan, name: string): Promise<Uint8Array> {
  const tensor = plan.tensors.find((candidate) => candidate.name === name)
  const part = tensor?.parts[0]
  const source = plan.sources[0]
  if (!tensor || !part || !source) throw new Error(`no tensor ${name}`)
  return await source.read(part.offset, part.rows * rowBytes(part.type, tensor.shape[0] as number))
}

describe('a CTranslate2 folder', () => {
  it('becomes a plan with all that is in it', async () => {
    const plan = await readModel(await folderOf('f16'))
    expect(plan).toMatchObject({
      format: 'ctranslate2',
      dialect: 'binary version 6',
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
    const plan = await readModel(join(await folderOf('by-file'), 'model.bin'))
    expect(plan.format).toBe('ctranslate2')
    await closePlan(plan)
  })

  it.each([
    ['f32', ['35 tensors f32 -> f16']],
    ['bf16', ['54 tensors bf16 -> f32', '35 tensors bf16 -> f16']],
  ] as const)('of %s weights is loaded as f16, and says so', async (type, conversions) => {
    const plan = await readModel(await folderOf(type, { type, multilingual: true }))
    expect(plan.weightType).toBe(GgmlType.F16)
    expect(plan.conversions.toSorted()).toEqual(conversions.toSorted())
    await closePlan(plan)
  })

  it('may have f32 beside f16', async () => {
    const folder = await folderOf('mixed')
    const positions = ct2Parts({ type: 'f32' }).variables.filter(({ name }) => name.endsWith('/encodings'))
    const parts = ct2Parts()
    parts.variables = parts.variables.map(
      (variable) => positions.find(({ name }) => name === variable.name) ?? variable,
    )
    writeFileSync(join(folder, 'model.bin'), assembleCt2(parts).bytes)
    const plan = await readModel(folder)
    expect(plan.conversions).toEqual(['52 tensors f16 -> f32'])
    await closePlan(plan)
  })

  it.each([3, 4, 5])('may have binary version %d', async (version) => {
    const folder = await folderOf(`version-${version}`)
    const parts = ct2Parts({ type: version === 3 ? 'f32' : 'f16' })
    writeFileSync(join(folder, 'model.bin'), assembleCt2({ ...parts, version }).bytes)
    const plan = await readModel(folder)
    expect(plan.dialect).toBe(`binary version ${version}`)
    await closePlan(plan)
  })

  it('may store equal variables once', async () => {
    const folder = await folderOf('aliases')
    const parts = ct2Parts()
    const [kept, dropped] = ['decoder/layer_0/ffn/layer_norm/gamma', 'encoder/layer_1/ffn/layer_norm/gamma']
    parts.variables = parts.variables.filter(({ name }) => name !== dropped)
    parts.aliases.push([dropped as string, kept as string])
    writeFileSync(join(folder, 'model.bin'), assembleCt2(parts).bytes)
    const plan = await readModel(folder)
    const norms = ['decoder.blocks.0.mlp_ln.weight', 'encoder.blocks.1.mlp_ln.weight']
    const offsets = norms.map((name) => plan.tensors.find((tensor) => tensor.name === name)?.parts[0]?.offset)
    expect(offsets[0]).toBe(offsets[1])
    await closePlan(plan)
  })
})

describe('the vocabulary beside it', () => {
  const tokens = ct2Tokens({ multilingual: true })
  const expected = Buffer.concat(tinyVocabulary({ multilingual: true }))
  const escaped = JSON.stringify(tokens, null, 2).replace(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  const withoutTimes = tokens.slice(0, tokens.indexOf('<|0.00|>'))

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
    const folder = await folderOf('vocabulary', { multilingual: true })
    renameSync(join(folder, 'vocabulary.json'), join(folder, 'unused'))
    writeFileSync(join(folder, file), text)
    const plan = await readModel(folder)
    expect(plan.vocabulary.lengths.length).toBe(50257)
    expect(Buffer.compare(plan.vocabulary.bytes, expected)).toBe(0)
    await closePlan(plan)
    renameSync(join(folder, file), join(folder, 'unused'))
  })

  it('is taken from vocabulary.json first', async () => {
    const folder = await folderOf('several')
    writeFileSync(join(folder, 'vocabulary.txt'), 'something else')
    mkdirSync(join(folder, 'tokenizer.json'))
    await closePlan(await readModel(folder))
  })
})

describe('the event loop', () => {
  it('runs while a tokenizer is read', async () => {
    const folder = await folderOf('loop', { multilingual: true })
    renameSync(join(folder, 'vocabulary.json'), join(folder, 'unused'))
    writeFileSync(join(folder, 'tokenizer.json'), tokenizerJson(ct2Tokens({ multilingual: true })))
    let turns = 0
    const count = () => {
      turns++
      timer = setImmediate(count)
    }
    let timer = setImmediate(count)
    const reading = readModel(folder)
    await closePlan(await reading)
    clearImmediate(timer)
    // One turn for each 2 ms of parsing; without slices there are only those of reading files.
    expect(turns).toBeGreaterThan(10)
  })

  it('lets an abort stop the reading', async () => {
    const folder = await folderOf('abort')
    const controller = new AbortController()
    const reading = readModel(folder, controller.signal)
    const reason = new Error('enough')
    setTimeout(() => controller.abort(reason), 1)
    await expect(reading).rejects.toBe(reason)
  })
})
