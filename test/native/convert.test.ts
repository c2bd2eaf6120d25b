import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { gguf } from '@huggingface/gguf'
import { describe, expect, it } from 'vitest'
import { addon, loadBackends } from '../../lib/backend/addon.ts'
import { convertModel } from '../../lib/index.ts'
import { weightTypeNames } from '../../lib/model/conversions.ts'
import { closePlan, readModel } from '../../lib/model/formats/index.ts'
import { melFilterBank } from '../../lib/model/mel.ts'
import { GgmlType, type LoadPlan } from '../../lib/model/plan.ts'
import { toNativePlan } from '../../lib/model/plan-to-native.ts'
import { writeCt2Folder } from '../fixtures/ct2-builder.ts'
import { assembleGgml, ggmlParts } from '../fixtures/ggml-builder.ts'
import { assembleGguf, ggufParts } from '../fixtures/gguf-builder.ts'
import { greedy, hum, rejection, temporaryPath, withModel, writeTemporary } from './support.ts'

const tiny = { audioContext: 64, layers: 1 }
const short = { ...greedy, maxTokens: 3 }
const sound = hum(1)

function ggml(type: GgmlType = GgmlType.F16, state = 64): Uint8Array {
  return assembleGgml({ ...ggmlParts({ ...tiny, state, type }), filters: melFilterBank(80) }).bytes
}

describe('convertModel', () => {
  it('makes GGUF that says the same, and of it the very file of whisper.cpp that it was made of', async () => {
    const source = writeTemporary('source.bin', ggml())
    const made = await convertModel(source, temporaryPath('same.gguf'), { verify: true })
    expect(made).toMatchObject({ format: 'gguf', from: 'ggml', weightType: 'f16', conversions: [] })
    expect(made.bytes).toBe(readFileSync(made.path).byteLength)
    const expected = await withModel(source, (model) => model.transcribe(sound, short))
    await withModel(made.path, async (model) => {
      expect(model.info).toMatchObject({
        format: 'gguf',
        dialect: 'version 3, whisper-hip 1',
        conversions: [],
      })
      expect(await model.transcribe(sound, short)).toMatchObject({ segments: expected.segments })
    })
    await convertModel(made.path, temporaryPath('back.bin'), { verify: true })
    expect(Buffer.compare(readFileSync(temporaryPath('back.bin')), readFileSync(source))).toBe(0)
  })

  it.each(weightTypeNames)('makes %s', async (weightType) => {
    const path = temporaryPath(`${weightType}.gguf`)
    const made = await convertModel(ggml(GgmlType.F16, 256), path, { weightType, verify: true })
    expect(made.weightType).toBe(weightType)
    const load = { weightType }
    await withModel(
      path,
      async (model) => {
        expect(model.info).toMatchObject({ weightType, conversions: [] })
        await model.transcribe(sound, short)
      },
      load,
    )
    const legacy = temporaryPath(`${weightType}.bin`)
    await convertModel(path, legacy, { weightType, verify: true })
    await withModel(
      legacy,
      async (model) => expect(model.info).toMatchObject({ weightType, conversions: [] }),
      load,
    )
  })

  it('gives the same bytes whatever the order of tensors in the source', async () => {
    const parts = ggufParts(tiny)
    const sources = [parts.records, parts.records.toReversed()].map((records, i) =>
      writeTemporary(`order-${i}.gguf`, assembleGguf({ ...parts, records }).bytes),
    )
    const files = await Promise.all(
      sources.map(async (source, i) => {
        await convertModel(source, temporaryPath(`ordered-${i}.bin`), { weightType: 'q8_0' })
        return readFileSync(temporaryPath(`ordered-${i}.bin`))
      }),
    )
    expect(Buffer.compare(files[0] as Buffer, files[1] as Buffer)).toBe(0)
  })

  it('quantises a converted file, and keeps what it says of itself', async () => {
    const path = temporaryPath('named.gguf')
    await convertModel(ggml(), path, { name: 'Träumer', license: 'mit' })
    await convertModel(path, temporaryPath('named-q8.gguf'), { weightType: 'q8_0' })
    const { metadata } = await gguf(temporaryPath('named-q8.gguf'), { allowLocalFile: true })
    expect(metadata).toMatchObject({
      'general.name': 'Träumer',
      'general.license': 'mit',
      'general.file_type': 7,
      'general.quantization_version': 2,
      'whisper_hip.source.format': 'gguf',
    })
  })

  it('keeps what lies beside a CTranslate2 model', async () => {
    const folder = temporaryPath('ct2')
    await writeCt2Folder(folder, { ...tiny, type: 'f16' })
    const config = { alignment_heads: [[0, 0]], suppress_ids: [1, 2, 7], suppress_ids_begin: [220] }
    writeFileSync(`${folder}/config.json`, JSON.stringify(config))
    const made = await convertModel(folder, temporaryPath('ct2.gguf'), { verify: true })
    expect(made.from).toBe('ctranslate2')
    const { metadata } = await gguf(made.path, { allowLocalFile: true })
    expect(metadata).toMatchObject({
      'whisper.decoder.alignment_heads': [0, 0],
      'whisper.suppress_tokens': [1, 2, 7],
      'whisper.begin_suppress_tokens': [220],
    })
  })

  it('is read by @huggingface/gguf', async () => {
    const path = temporaryPath('hub.gguf')
    await convertModel(ggml(), path)
    const { metadata, tensorInfos, tensorDataOffset } = await gguf(path, { allowLocalFile: true })
    expect(metadata).toMatchObject({
      version: 3,
      'general.architecture': 'whisper',
      'whisper.encoder.embedding_length': 64,
      'whisper.vocab_size': 51864,
      'tokenizer.ggml.eot_token_id': 50256,
      'whisper.token.timestamp_begin': 50363,
    })
    const tokens = (metadata as Record<string, unknown>)['tokenizer.ggml.tokens'] as string[]
    expect(tokens).toHaveLength(51864)
    expect([tokens[220], tokens[50256], tokens.at(-1)]).toEqual(['Ġ', '<|endoftext|>', '<|30.00|>'])
    const { shape, dtype } = tensorInfos.find(({ name }) => name === 'model.encoder.conv1.weight') ?? {}
    expect([shape?.map(Number), dtype]).toEqual([[3, 80, 64], GgmlType.F16])
    expect(Number(tensorDataOffset) % 32).toBe(0)
    const names = tensorInfos.map(({ name }) => name)
    expect(names).toContain('model.decoder.layers.0.encoder_attn.k_proj.weight')
    expect(names.every((name) => name.length < 64)).toBe(true)
  })

  it('leaves nothing behind when it is aborted, and what was there before as it was', async () => {
    const folder = temporaryPath('aborted')
    mkdirSync(folder)
    writeFileSync(`${folder}/model.gguf`, 'before')
    const controller = new AbortController()
    const error = await rejection(
      convertModel(ggml(GgmlType.F16, 256), `${folder}/model.gguf`, {
        weightType: 'q4_k',
        signal: controller.signal,
        onProgress: ({ stage }) => {
          if (stage === 'write') controller.abort(new Error('enough'))
        },
      }),
    )
    expect(error).toEqual(new Error('enough'))
    expect(readdirSync(folder)).toEqual(['model.gguf'])
    expect(readFileSync(`${folder}/model.gguf`, 'utf8')).toBe('before')
  })

  it('throws what its callback throws', async () => {
    const thrown = new Error('mine')
    const path = temporaryPath('thrown.gguf')
    const error = await rejection(
      convertModel(ggml(), path, {
        onProgress: () => {
          throw thrown
        },
      }),
    )
    expect(error).toBe(thrown)
    expect(readdirSync(dirname(path)).filter((name) => name.includes('thrown'))).toEqual([])
  })

  it.each([
    ['missing/model.gguf', 'ERR_WRITE', 'its folder does not exist'],
    ['model.safetensors', 'ERR_INVALID_ARGUMENT', 'Expected a path that ends in .gguf or .bin'],
  ])('refuses to write %s', async (name, code, message) => {
    expect(await rejection(convertModel(ggml(), temporaryPath(name)))).toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
  })

  it('refuses a folder in place of the file, and mel filters that GGUF would lose', async () => {
    mkdirSync(temporaryPath('folder.gguf'))
    expect(await rejection(convertModel(ggml(), temporaryPath('folder.gguf')))).toMatchObject({
      code: 'ERR_WRITE',
      message: expect.stringContaining('it is a folder'),
    })
    const other = assembleGgml(ggmlParts(tiny)).bytes
    expect(await rejection(convertModel(other, temporaryPath('mel.gguf')))).toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining('its mel filters are not those of Whisper'),
    })
    await convertModel(other, temporaryPath('mel.bin'), { verify: true })
  })
})

describe('the comparison of --verify', () => {
  it('notices one wrong bit in one tensor, and names it', async () => {
    await loadBackends()
    const path = temporaryPath('bit.bin')
    writeFileSync(path, ggml())
    const plan = await readModel(path)
    try {
      const offsets = Float64Array.from(plan.tensors, ({ parts }) => parts[0]?.offset as number)
      await compare(plan, path, offsets)
      const at = plan.tensors.findIndex(({ name }) => name === 'decoder.blocks.0.mlp.0.weight')
      const copy = writeTemporary('bit-copy.bin', flipped(ggml(), (offsets[at] as number) + 1001))
      expect(await rejection(compare(plan, copy, offsets))).toMatchObject({
        code: 'ERR_MODEL_CORRUPT',
        message: 'Tensor decoder.blocks.0.mlp.0.weight is not what was written',
      })
    } finally {
      await closePlan(plan)
    }
  })
})

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  bytes[at] = (bytes[at] as number) ^ 1
  return bytes
}

async function compare(plan: LoadPlan, path: string, offsets: Float64Array): Promise<void> {
  const descriptor = openSync(path, 'r')
  try {
    const none = () => {
      throw new Error('there are no bytes in memory')
    }
    await addon().native.writeTensors(toNativePlan(plan, none), descriptor, offsets, true, () => {}).result
  } finally {
    closeSync(descriptor)
  }
}
