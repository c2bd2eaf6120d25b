import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { weightTypeNames } from '../../lib/model/conversions.ts'
import { typeName } from '../../lib/model/ggml-types.ts'
import { melFilterBank } from '../../lib/model/mel.ts'
import { GgmlType } from '../../lib/model/plan.ts'
import { writeCt2Folder } from '../fixtures/ct2-builder.ts'
import { encode } from '../fixtures/encode.ts'
import { writeFlaxFolder } from '../fixtures/flax-builder.ts'
import { assembleGgml, ggmlParts } from '../fixtures/ggml-builder.ts'
import { assembleGguf, type GgufDialect, ggufParts } from '../fixtures/gguf-builder.ts'
import { writeHuggingFaceFiles } from '../fixtures/hf-files.ts'
import { type FloatType, huggingFaceTensors } from '../fixtures/hf-names.ts'
import { writeOnnxFolder } from '../fixtures/onnx-builder.ts'
import { writeSafetensorsFolder } from '../fixtures/safetensors-builder.ts'
import { tinyWeights } from '../fixtures/tiny-model.ts'
import { buildStateDictionary, buildTorch, Pickle, pickledTensor } from '../fixtures/torch-builder.ts'
import { greedy, hum, temporaryPath, withModel, writeTemporary } from './support.ts'

const tiny = { audioContext: 64, layers: 1 }
const short = { ...greedy, maxTokens: 3 }
const sound = hum(1)
let folders = 0
const newFolder = () => temporaryPath(`model-${folders++}`)

async function ctranslate2(type: FloatType): Promise<string> {
  const folder = newFolder()
  await writeCt2Folder(folder, { ...tiny, type })
  return folder
}

async function safetensors(type: FloatType): Promise<string> {
  const folder = newFolder()
  await writeSafetensorsFolder(folder, { ...tiny, type })
  return folder
}

async function pytorch(type: FloatType): Promise<string> {
  return await torchFolder(buildStateDictionary(huggingFaceTensors({ ...tiny, type })))
}

/** Weights of which the file has the columns one after the other, as after `weight.t().contiguous().t()`. */
async function transposed(type: FloatType): Promise<string> {
  const tensors = huggingFaceTensors({ ...tiny, type }).map((tensor, i) => {
    const [rows, columns] = tensor.shape as [number, number]
    const pickled = pickledTensor(tensor, `${i}`)
    if (tensor.shape.length !== 2) return { pickled, data: tensor.data }
    const values = new Uint16Array(tensor.data.slice().buffer)
    const turned = Uint16Array.from(
      values,
      (_, at) => values[(at % rows) * columns + Math.floor(at / rows)] as number,
    )
    return { pickled: { ...pickled, strides: [1, rows] }, data: new Uint8Array(turned.buffer) }
  })
  const pickle = new Pickle().state(
    tensors.map(({ pickled }) => pickled),
    true,
  )
  return await torchFolder(
    buildTorch(
      pickle.finish(),
      tensors.map(({ data }) => data),
    ),
  )
}

async function torchFolder(file: Uint8Array): Promise<string> {
  const folder = newFolder()
  await writeHuggingFaceFiles(folder, tiny)
  writeFileSync(join(folder, 'pytorch_model.bin'), file)
  return folder
}

/** The mel filters of Whisper, which CTranslate2's files do not hold. */
function ggml(type: GgmlType, state = 64): Uint8Array {
  return assembleGgml({ ...ggmlParts({ ...tiny, state, type }), filters: melFilterBank(80) }).bytes
}

describe('a ggml file', () => {
  const floats: readonly GgmlType[] = [GgmlType.F32, GgmlType.BF16]
  const types = Object.values(GgmlType).filter((type) => !floats.includes(type))

  it.each(types.map((type) => [typeName(type), type] as const))(
    'of %s loads and runs',
    async (name, type) => {
      const path = writeTemporary(`${name}.bin`, ggml(type, /_k$/.test(name) ? 256 : 64))
      await withModel(path, async (model) => {
        expect(model.info).toMatchObject({ format: 'ggml', weightType: name, conversions: [] })
        const placed = Object.values(model.backend.weightBytes)
        expect(placed.reduce((sum, bytes) => sum + bytes, 0)).toBe(model.info.memoryBytes)
        // The file has the vocabulary beside the weights; in memory the scales of K-quants are whole bytes.
        const { fileBytes, memoryBytes } = model.info
        expect(memoryBytes).toBeGreaterThan(fileBytes - 600_000)
        expect(memoryBytes).toBeLessThan(1.25 * (fileBytes - 400_000))
        const { segments, duration } = await model.transcribe(sound, short)
        expect(duration).toBe(1)
        for (const { averageLogProbability } of segments) expect(averageLogProbability).toBeLessThan(0)
      })
    },
  )
})

describe('the same weights', () => {
  const types = ['f32', 'f16', 'bf16'] as const
  const forms: [string, FloatType, (type: FloatType) => Promise<string | Uint8Array>][] = [
    ['ggml', 'f32', async () => ggml(GgmlType.F32)],
    ...types.map((type): (typeof forms)[number] => ['CTranslate2', type, ctranslate2]),
    ...types.map((type): (typeof forms)[number] => ['safetensors', type, safetensors]),
    ...types.map((type): (typeof forms)[number] => ['PyTorch', type, pytorch]),
    ['PyTorch with transposed weights', 'f16', transposed],
  ]

  it.each(forms)('in %s of %s become f16 and say the same', async (_, type, build) => {
    const expected = await withModel(ggml(GgmlType.F16), (model) => model.transcribe(sound, short))
    await withModel(await build(type), async (model) => {
      expect(model.info.weightType).toBe('f16')
      expect(model.info.conversions.join()).toContain(type === 'f16' ? 'f16 -> f32' : `${type} -> f16`)
      const result = await model.transcribe(sound, short)
      expect(result.text).toBe(expected.text)
      // The norms, which the files hold in their own type, are about 1.
      const [segment] = result.segments
      expect(segment?.averageLogProbability).toBeCloseTo(expected.segments[0]?.averageLogProbability ?? 0, 2)
    })
  })
})

describe('quantised CTranslate2', () => {
  it.each([
    ['int8_float32', 'f32', 'int8', 'q8_0'],
    ['int8_float16', 'f16', 'int8', 'q8_0'],
    ['int8_bfloat16', 'bf16', 'int8', 'q8_0'],
    ['int16', 'f32', 'int16', 'f16'],
  ] as const)('of %s says nearly the same as f16', async (name, type, quantized, weightType) => {
    const expected = await withModel(ggml(GgmlType.F16), (model) => model.transcribe(sound, short))
    const folder = temporaryPath(name)
    await writeCt2Folder(folder, { ...tiny, type, quantized })
    await withModel(folder, async (model) => {
      expect(model.info).toMatchObject({ dialect: `binary version 6, ${name}`, weightType })
      expect(model.info.conversions.join()).toContain(`${quantized} -> ${weightType}`)
      const { segments } = await model.transcribe(sound, short)
      expect(segments[0]?.averageLogProbability).toBeCloseTo(
        expected.segments[0]?.averageLogProbability ?? 0,
        1,
      )
    })
  })
})

describe('weights that are stored the other way round', () => {
  it.each<[name: string, write: (folder: string) => Promise<void>, format: string]>([
    ['Flax of float32', (folder) => writeFlaxFolder(folder, { ...tiny, type: 'float32' }), 'flax'],
    ['Flax of float16', (folder) => writeFlaxFolder(folder, { ...tiny, type: 'float16' }), 'flax'],
    ['ONNX of f32', (folder) => writeOnnxFolder(folder, { ...tiny, head: 'constant' }), 'onnx'],
    [
      'ONNX of f16 in other files',
      (folder) => writeOnnxFolder(folder, { ...tiny, type: 'f16', external: true }),
      'onnx',
    ],
    [
      'ONNX with a merged decoder',
      (folder) => writeOnnxFolder(folder, { ...tiny, merged: true, operators: 'numbers' }),
      'onnx',
    ],
  ])('in %s say the same', async (name, write, format) => {
    const f32 = !name.includes('16')
    const expected = await withModel(ggml(f32 ? GgmlType.F32 : GgmlType.F16), (model) =>
      model.transcribe(sound, short),
    )
    const folder = temporaryPath(name)
    await write(folder)
    await withModel(folder, async (model) => {
      expect(model.info).toMatchObject({ format, weightType: 'f16' })
      const { text, segments } = await model.transcribe(sound, short)
      expect(text).toBe(expected.text)
      // The norms, which the ggml file holds in f32, are about 1.
      expect(segments[0]?.averageLogProbability).toBeCloseTo(
        expected.segments[0]?.averageLogProbability ?? 0,
        f32 ? 6 : 2,
      )
    })
  })
})

describe('a GGUF file', () => {
  it.each<GgufDialect>(['specification', 'transcribe.cpp', 'candle', 'flat'])(
    'in the convention of %s says the same as ggml',
    async (dialect) => {
      const expected = await withModel(ggml(GgmlType.F16), (model) => model.transcribe(sound, short))
      const folder = temporaryPath(`gguf ${dialect}`)
      await writeHuggingFaceFiles(folder, tiny)
      const path = `${folder}/model.gguf`
      writeFileSync(path, assembleGguf(ggufParts({ ...tiny, dialect })).bytes)
      await withModel(path, async (model) => {
        expect(model.info).toMatchObject({ format: 'gguf', weightType: 'f16', conversions: [] })
        expect(await model.transcribe(sound, short)).toMatchObject({ segments: expected.segments })
      })
    },
  )

  it('with flat quantised kernels and quantised vectors loads and runs', async () => {
    const parts = ggufParts(tiny)
    const weights = tinyWeights(tiny)
    const records = parts.records.map((record, i) => {
      const shape = record.name === 'encoder.conv2.weight' ? [192, 64] : record.shape
      if ((shape[0] as number) % 32 !== 0) return record
      const data = encode(GgmlType.Q8_0, weights.get(record.name) as Float32Array, i + 1)
      return { ...record, shape, type: GgmlType.Q8_0, data }
    })
    await withModel(assembleGguf({ ...parts, records }).bytes, async (model) => {
      expect(model.info.weightType).toBe('q8_0')
      expect(model.info.conversions).toContain('1 tensors q8_0 -> f16')
      await model.transcribe(sound, short)
    })
  })
})

describe('the option weightType', () => {
  const source = assembleGgml({
    ...ggmlParts({ ...tiny, state: 256, type: GgmlType.F16 }),
    filters: melFilterBank(80),
  }).bytes

  it.each(weightTypeNames)('loads f16 weights as %s, and they say nearly the same', async (weightType) => {
    const expected = await withModel(source, (model) => model.transcribe(sound, short))
    await withModel(
      source,
      async (model) => {
        expect(model.info.weightType).toBe(weightType)
        const notes = model.info.conversions.join()
        if (weightType !== 'f16') expect(notes).toContain(`f16 -> ${weightType}`)
        const { segments } = await model.transcribe(sound, short)
        expect(segments[0]?.averageLogProbability).toBeCloseTo(
          expected.segments[0]?.averageLogProbability ?? 0,
          0,
        )
      },
      { weightType },
    )
  })

  it('says which types fit a model whose rows are no multiple of 256', async () => {
    const load = withModel(ggml(GgmlType.F16), async () => {}, { weightType: 'q4_k' })
    await expect(load).rejects.toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining('its rows have 64 values'),
      advice: [expect.stringContaining('q8_0')],
    })
  })

  it('takes a quantised file as another type', async () => {
    await withModel(
      ggml(GgmlType.Q8_0),
      async (model) => {
        expect(model.info).toMatchObject({ weightType: 'f32' })
        await model.transcribe(sound, short)
      },
      { weightType: 'f32' },
    )
  })

  it('refuses weights that f16 cannot hold, and loads them as bf16', async () => {
    const parts = { ...ggmlParts({ ...tiny, state: 64, type: GgmlType.F32 }), filters: melFilterBank(80) }
    const tensor = parts.records.find(({ name }) => name === 'encoder.blocks.0.mlp.0.weight')
    if (tensor === undefined) throw new Error('the model has no such tensor')
    new DataView(tensor.data.buffer, tensor.data.byteOffset).setFloat32(0, 70_000, true)
    const large = assembleGgml(parts).bytes
    await expect(withModel(large, async () => {})).rejects.toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining('encoder.blocks.0.mlp.0.weight has the value 70000'),
    })
    await withModel(large, async (model) => expect(model.info.weightType).toBe('bf16'), {
      weightType: 'bf16',
    })
  })
})
