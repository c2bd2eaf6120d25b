import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import {
  assembleFlax,
  type FlaxTensor,
  flaxArrays,
  reversed,
  writeFlaxFolder,
} from '../../fixtures/flax-builder.ts'
import { writeHuggingFaceFiles } from '../../fixtures/hf-files.ts'
import { expectValues, valuesOf } from '../../fixtures/plan-values.ts'
import { generator, tinyHyperparameters, tinyVocabulary, tinyWeights } from '../../fixtures/tiny-model.ts'
import { failureOf, outcomeOf, temporaryFolder, withFlippedBit } from './support.ts'

const root = temporaryFolder()
const SMALL = { state: 32, layers: 1 }
const arrays = flaxArrays(SMALL)
const bytes = assembleFlax(arrays)

async function folderWith(name: string, content: Uint8Array): Promise<string> {
  const folder = join(root, name)
  mkdirSync(folder, { recursive: true })
  await writeHuggingFaceFiles(folder, SMALL)
  writeFileSync(join(folder, 'flax_model.msgpack'), content)
  return folder
}

const changed = (path: string, change: Partial<FlaxTensor>) =>
  assembleFlax(new Map(arrays).set(path, { ...(arrays.get(path) as FlaxTensor), ...change }))
const without = (path: string) => assembleFlax(new Map([...arrays].filter(([key]) => key !== path)))
const plus = (path: string, tensor: FlaxTensor) => assembleFlax(new Map(arrays).set(path, tensor))

describe('a folder of Flax', () => {
  it.each(['float32', 'float16', 'bfloat16'] as const)(
    'of %s becomes a plan with all that is in it',
    async (type) => {
      const folder = join(root, type)
      await writeFlaxFolder(folder, { ...SMALL, type })
      const plan = await readModel(folder)
      expect(plan).toMatchObject({
        format: 'flax',
        dialect: 'Hugging Face, one file',
        hyperparameters: tinyHyperparameters(SMALL),
      })
      for (const [name, values] of tinyWeights(SMALL)) expectValues(name, await valuesOf(plan, name), values)
      expect(Buffer.compare(plan.vocabulary.bytes, Buffer.concat(tinyVocabulary()))).toBe(0)
      await closePlan(plan)
    },
  )

  it('may have its weights under params', async () => {
    const wrapped = new Map([...arrays].map(([path, array]) => [`params/${path}`, array]))
    await closePlan(await readModel(await folderWith('params', assembleFlax(wrapped))))
  })

  it('may be in several files', async () => {
    const names = ['flax_model-00001-of-00002.msgpack', 'flax_model-00002-of-00002.msgpack'] as const
    const isFirst = (path: string) => path.startsWith('model/decoder/')
    const part = (wanted: boolean) =>
      assembleFlax(new Map([...arrays].filter(([path]) => isFirst(path) === wanted)))
    const map = [...arrays.keys()].map((path) => [path, names[isFirst(path) ? 0 : 1]])
    const folder = join(root, 'shards')
    await writeHuggingFaceFiles(folder, SMALL)
    writeFileSync(join(folder, names[0]), part(true))
    writeFileSync(join(folder, names[1]), part(false))
    writeFileSync(
      join(folder, 'flax_model.msgpack.index.json'),
      JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(map) }),
    )
    const plan = await readModel(folder)
    expect(plan).toMatchObject({ format: 'flax', dialect: 'Hugging Face, 2 files' })
    for (const [name, values] of tinyWeights(SMALL)) expectValues(name, await valuesOf(plan, name), values)
    await closePlan(plan)
    const error = await failureOf(readModel(join(folder, names[0])))
    expect(error).toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      advice: [expect.stringContaining('.index.json')],
    })
  })

  it('may store the embedding again as the head, transposed', async () => {
    const { vocabularySize, textState } = tinyHyperparameters(SMALL)
    const head = reversed(tinyWeights(SMALL).get('decoder.token_embedding.weight') as Float32Array, [
      vocabularySize,
      textState,
    ])
    const tensor = { shape: [textState, vocabularySize], type: 'float32', data: new Uint8Array(head.buffer) }
    await closePlan(await readModel(await folderWith('head', plus('lm_head/kernel', tensor))))
    head[5] = 7
    const error = await failureOf(readModel(await folderWith('head', plus('lm_head/kernel', tensor))))
    expect(error.message).toContain('untied output head')
  })

  it('has the vocabulary of OpenAI as bytes', async () => {
    const plan = await readModel(assembleFlax(flaxArrays({ layers: 1 })))
    await closePlan(plan)
    expect(plan.conversions).toContain("it has no vocabulary of its own: OpenAI's is used")
  })
})

const FC1 = 'model/encoder/layers/0/fc1/kernel'
const NORM = 'model/encoder/layer_norm/scale'

describe('a Flax file that cannot be used', () => {
  it.each<[name: string, code: string, content: Uint8Array, message: string]>([
    [
      'a type that is no float',
      'ERR_MODEL_UNSUPPORTED',
      changed(FC1, { type: 'int8' }),
      `${FC1} is of type "int8"`,
    ],
    [
      'a type with a name of JavaScript',
      'ERR_MODEL_UNSUPPORTED',
      changed(FC1, { type: 'constructor' }),
      `${FC1} is of type "constructor"`,
    ],
    [
      'too few bytes',
      'ERR_MODEL_CORRUPT',
      changed(NORM, { shape: [33] }),
      `${NORM} has 128 bytes, where its shape [33] and type f32 need 132`,
    ],
    [
      'a huge shape',
      'ERR_MODEL_CORRUPT',
      changed(NORM, { shape: [0xffffffff, 0xffffffff, 0xffffffff] }),
      `${NORM} has 128 bytes`,
    ],
    [
      'nine dimensions',
      'ERR_MODEL_CORRUPT',
      changed(NORM, { shape: [32, 1, 1, 1, 1, 1, 1, 1, 1] }),
      `${NORM} has 9 dimensions`,
    ],
    [
      'a kernel the other way round',
      'ERR_MODEL_CORRUPT',
      changed(FC1, { shape: [128, 32] }),
      'encoder.blocks.0.mlp.0.weight has shape [128,32], where [32,128] is needed',
    ],
    [
      'a kernel with four dimensions',
      'ERR_MODEL_CORRUPT',
      changed(FC1, { shape: [1, 1, 32, 128] }),
      'encoder.blocks.0.mlp.0.weight has shape [1,1,32,128]',
    ],
    ['a missing array', 'ERR_MODEL_CORRUPT', without(NORM), 'tensor encoder.ln_post.weight is missing'],
    [
      'an unknown array',
      'ERR_MODEL_UNSUPPORTED',
      plus('model/encoder/extra/kernel', arrays.get(NORM) as FlaxTensor),
      'not part of Whisper, "encoder.extra.weight"',
    ],
    [
      'layers that are stacked',
      'ERR_MODEL_UNSUPPORTED',
      plus('model/decoder/layers/FlaxWhisperDecoderLayers/fc1/kernel', {
        ...(arrays.get(FC1) as FlaxTensor),
      }),
      'not part of Whisper',
    ],
    [
      'a chunked array',
      'ERR_MODEL_UNSUPPORTED',
      plus(`${NORM}x/__msgpack_chunked_array__`, arrays.get(NORM) as FlaxTensor),
      `${NORM}x is stored in chunks`,
    ],
    [
      'the state of a training',
      'ERR_MODEL_UNSUPPORTED',
      plus('opt_state/0/count', arrays.get(NORM) as FlaxTensor),
      'it is the state of a training, with "opt_state", not a model',
    ],
    [
      'names with spaces',
      'ERR_MODEL_CORRUPT',
      plus('model/a b', arrays.get(NORM) as FlaxTensor),
      'is not a name',
    ],
    [
      'maps without end',
      'ERR_MODEL_CORRUPT',
      plus(`model/${'a/'.repeat(30)}b`, arrays.get(NORM) as FlaxTensor),
      'nested more deeply than 16',
    ],
    [
      'bytes at the end',
      'ERR_MODEL_CORRUPT',
      Buffer.concat([bytes, Buffer.alloc(3)]),
      '3 bytes follow the end',
    ],
    [
      'a member twice',
      'ERR_MODEL_CORRUPT',
      Buffer.from('82a56d6f64656c80a56d6f64656c80', 'hex'),
      '"model" is there twice',
    ],
    [
      'a number in place of a map',
      'ERR_MODEL_CORRUPT',
      Buffer.from('81a56d6f64656c07', 'hex'),
      'is not a map or an array',
    ],
    [
      'another extension',
      'ERR_MODEL_CORRUPT',
      Buffer.from('81a56d6f64656cc70302000000', 'hex'),
      'has extension type 2',
    ],
    [
      'an extension without a tuple',
      'ERR_MODEL_CORRUPT',
      Buffer.from('81a56d6f64656cd401c0', 'hex'),
      'is not an array of shape, type and values',
    ],
    [
      'many entries',
      'ERR_MODEL_CORRUPT',
      Buffer.from('81a56d6f64656cdfffffffff', 'hex'),
      'announces more than 16384 entries',
    ],
    [
      'only an encoder',
      'ERR_MODEL_UNSUPPORTED',
      assembleFlax(new Map([...arrays].filter(([key]) => key.includes('/encoder/')))),
      'it is only the encoder',
    ],
  ])('%s: %s', async (_, code, content, message) => {
    const error = await failureOf(readModel(await folderWith('bad', content)))
    expect(error.message).toContain(message)
    expect(error.code).toBe(code)
  })

  it('cut anywhere is refused', async () => {
    const random = generator(3)
    const lengths = [
      1,
      2,
      7,
      8,
      9,
      bytes.length - 1,
      ...Array.from({ length: 60 }, () => random() % bytes.length),
    ]
    for (const length of lengths) {
      const outcome = await outcomeOf(bytes.subarray(0, length))
      expect(['ERR_MODEL_CORRUPT', 'ERR_MODEL_FORMAT'], `${length} bytes`).toContain(outcome)
    }
  })

  it('with a wrong bit in its tables is refused or read, without any other failure', async () => {
    const copy = bytes.slice()
    for (let bit = 0; bit < 8 * 400; bit += 5) await withFlippedBit(copy, bit, () => outcomeOf(copy))
  })
})
