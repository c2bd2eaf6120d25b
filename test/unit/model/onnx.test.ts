import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { alignmentHeadsOf } from '../../../lib/model/alignment-heads.ts'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { writeHuggingFaceFiles } from '../../fixtures/hf-files.ts'
import {
  assembleOnnx,
  external,
  merged,
  type OnnxConstant,
  type OnnxOptions,
  type OnnxParts,
  onnxParts,
  writeOnnxFolder,
} from '../../fixtures/onnx-builder.ts'
import { expectValues, valuesOf } from '../../fixtures/plan-values.ts'
import { generator, tinyHyperparameters, tinyVocabulary, tinyWeights } from '../../fixtures/tiny-model.ts'
import { failureOf, outcomeOf, temporaryFolder, withFlippedBit } from './support.ts'

const root = temporaryFolder()
const SMALL = { state: 32, layers: 2 }
const encoder = onnxParts('encoder', SMALL)
const decoder = onnxParts('decoder', SMALL)
const folder = join(root, 'model')

beforeAll(() => writeHuggingFaceFiles(folder, SMALL))

function write(parts: { encoder?: OnnxParts | Uint8Array; decoder?: OnnxParts | Uint8Array }): void {
  for (const [part, normal] of [
    ['encoder', encoder],
    ['decoder', decoder],
  ] as const) {
    const content = parts[part] ?? normal
    writeFileSync(
      join(folder, `${part}_model.onnx`),
      content instanceof Uint8Array ? content : assembleOnnx(content),
    )
  }
}

describe('a folder of ONNX', () => {
  it.each<[name: string, options: OnnxOptions, dialect: string]>([
    ['with operators named by their places', {}, 'separate decoders'],
    ['with operators that have numbers', { operators: 'numbers' }, 'separate decoders'],
    ['with all names kept', { keepsNames: true }, 'separate decoders'],
    ['with the head as a constant', { head: 'constant' }, 'separate decoders'],
    [
      'with numbers and the head as a constant',
      { operators: 'numbers', head: 'constant' },
      'separate decoders',
    ],
    ['of f16', { type: 'f16' }, 'separate decoders'],
    ['with a merged decoder', { merged: true }, 'merged decoder'],
    ['with a merged decoder and numbers', { merged: true, operators: 'numbers' }, 'merged decoder'],
    ['with its values in other files', { external: true }, 'separate decoders'],
  ])('%s becomes a plan with all that is in it', async (name, options, dialect) => {
    const target = join(root, name)
    await writeOnnxFolder(target, { ...SMALL, ...options })
    const plan = await readModel(target)
    expect(plan).toMatchObject({ format: 'onnx', dialect, hyperparameters: tinyHyperparameters(SMALL) })
    for (const [tensor, values] of tinyWeights(SMALL))
      expectValues(tensor, await valuesOf(plan, tensor), values)
    expect(Buffer.compare(plan.vocabulary.bytes, Buffer.concat(tinyVocabulary()))).toBe(0)
    await closePlan(plan)
  })

  it('may have its graphs in a folder of their own, or be named by either file', async () => {
    const target = join(root, 'browser')
    await writeOnnxFolder(target, SMALL)
    mkdirSync(join(target, 'onnx'))
    for (const part of ['encoder', 'decoder'])
      renameSync(join(target, `${part}_model.onnx`), join(target, 'onnx', `${part}_model_fp16.onnx`))
    for (const part of ['encoder', 'decoder'])
      await closePlan(await readModel(join(target, 'onnx', `${part}_model_fp16.onnx`)))
    for (const part of ['encoder', 'decoder'])
      renameSync(join(target, 'onnx', `${part}_model_fp16.onnx`), join(target, 'onnx', `${part}_model.onnx`))
    writeFileSync(join(target, 'generation_config.json'), '{"alignment_heads": [[1, 0]]}')
    const plan = await readModel(target)
    expect(await alignmentHeadsOf(plan)).toEqual([1, 0])
    await closePlan(plan)
  })
})

describe('an export for browsers', () => {
  /** What converters to half precision do: each constant is brought to another type before it is used. */
  function behindCasts(parts: OnnxParts): OnnxParts {
    const names = new Set(parts.constants.map(({ name }) => name))
    const casts = [...names].map((name) => ({
      operator: 'Cast',
      name: `graph_input_cast_${name}`,
      inputs: [name],
      output: `${name}_cast`,
    }))
    const operators = parts.operators.map((entry) => ({
      ...entry,
      inputs: entry.inputs.map((input) => (names.has(input) ? `${input}_cast` : input)),
    }))
    return { ...parts, operators: [...casts, ...operators] }
  }
  /** The casts of a merged decoder are outside of its branches, or inside. */
  function mergedWith(parts: OnnxParts, where: 'outside' | 'inside'): OnnxParts {
    const cast = behindCasts(parts)
    if (where === 'inside') return merged(cast)
    const isCast = ({ operator }: { operator: string }) => operator === 'Cast'
    const whole = merged({ ...cast, operators: cast.operators.filter((entry) => !isCast(entry)) })
    return { ...whole, operators: [...cast.operators.filter(isCast), ...whole.operators] }
  }

  const ways = ['places', 'numbers'].flatMap((operators) =>
    ['outside', 'inside'].flatMap((where) =>
      ['operator', 'constant'].map((head) => [operators, where, head] as const),
    ),
  ) as ['places' | 'numbers', 'outside' | 'inside', 'operator' | 'constant'][]
  it.each(ways)(
    'has weights behind casts: operators by %s, casts %s, the head as %s',
    async (operators, where, head) => {
      const options = { ...SMALL, type: 'f16', operators, head } as const
      const target = join(root, `cast ${operators} ${where} ${head}`)
      await writeHuggingFaceFiles(target, SMALL)
      mkdirSync(join(target, 'onnx'))
      const graphs = {
        encoder_model_fp16: behindCasts(onnxParts('encoder', options)),
        decoder_model_merged_fp16: mergedWith(onnxParts('decoder', options), where),
      }
      for (const [name, parts] of Object.entries(graphs))
        writeFileSync(join(target, 'onnx', `${name}.onnx`), assembleOnnx(parts))
      // Beside it lie the quantised ones, as a rule.
      writeFileSync(join(target, 'onnx', 'decoder_model_merged_q4.onnx'), 'x')
      const plan = await readModel(target)
      expect(plan).toMatchObject({ format: 'onnx', dialect: 'merged decoder' })
      for (const [tensor, values] of tinyWeights(SMALL))
        expectValues(tensor, await valuesOf(plan, tensor), values)
      await closePlan(plan)
    },
  )

  it('may have its halves in different precision', async () => {
    const target = join(root, 'mixed')
    await writeOnnxFolder(target, SMALL)
    renameSync(join(target, 'decoder_model.onnx'), join(target, 'decoder_model_merged_fp16.onnx'))
    await closePlan(await readModel(target))
  })

  it('is refused with a decoder that is quantised', async () => {
    const target = join(root, 'half quantised')
    await writeOnnxFolder(target, SMALL)
    renameSync(join(target, 'decoder_model.onnx'), join(target, 'decoder_model_merged_quantized.onnx'))
    expect(await failureOf(readModel(target))).toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining('quantised by another library (decoder_model_merged_quantized.onnx)'),
    })
  })
})

const constants = (
  parts: OnnxParts,
  change: (constant: OnnxConstant) => Partial<OnnxConstant>,
): OnnxParts => ({
  ...parts,
  constants: parts.constants.map((constant) => ({ ...constant, ...change(constant) })),
})
const changed = (parts: OnnxParts, name: string, change: Partial<OnnxConstant>) =>
  constants(parts, (constant) => (constant.name === name ? change : {}))
const plus = (parts: OnnxParts, operator: string): OnnxParts => ({
  ...parts,
  operators: [...parts.operators, { operator, name: '/extra', inputs: ['a'], output: 'b' }],
})
const NORM = 'layer_norm.weight'
const HEAD_CONSTANT = onnxParts('decoder', { ...SMALL, head: 'constant' })
const numbered = onnxParts('encoder', { ...SMALL, operators: 'numbers' })

describe('an ONNX model that cannot be used', () => {
  it.each<[name: string, code: string, parts: Parameters<typeof write>[0], message: string]>([
    ...[
      'MatMulInteger',
      'DynamicQuantizeLinear',
      'ConvInteger',
      'DequantizeLinear',
      'QLinearMatMul',
      'MatMulNBits',
    ].map((operator): [string, string, Parameters<typeof write>[0], string] => [
      operator,
      'ERR_MODEL_UNSUPPORTED',
      { encoder: plus(encoder, operator) },
      `its weights are quantised: it has the operator "${operator}"`,
    ]),
    [
      'fused operators',
      'ERR_MODEL_UNSUPPORTED',
      { decoder: plus(decoder, 'Attention') },
      'it was optimised for onnxruntime',
    ],
    [
      'weights that nothing tells',
      'ERR_MODEL_UNSUPPORTED',
      {
        encoder: { ...numbered, operators: numbered.operators.filter(({ operator }) => operator !== 'Add') },
      },
      'does not tell what the weight "onnx::MatMul_',
    ],
    [
      'an untied head',
      'ERR_MODEL_UNSUPPORTED',
      { decoder: changed(HEAD_CONSTANT, 'onnx::MatMul_head', { data: new Uint8Array(4 * 32 * 51864) }) },
      'untied output head',
    ],
    [
      'two weights for one place',
      'ERR_MODEL_CORRUPT',
      {
        encoder: {
          constants: [
            ...encoder.constants,
            {
              ...(encoder.constants.find(({ name }) => name.startsWith('onnx::MatMul')) as OnnxConstant),
              name: 'other',
            },
          ],
          operators: [
            ...encoder.operators,
            ...encoder.operators
              .filter(({ operator }) => operator === 'MatMul')
              .slice(0, 1)
              .map((operator) => ({ ...operator, inputs: ['x', 'other'] })),
          ],
        },
      },
      'has two weights that are encoder.blocks.0.attn.query.weight, "other" among them',
    ],
    [
      'a missing tensor',
      'ERR_MODEL_CORRUPT',
      { encoder: { ...encoder, constants: encoder.constants.filter(({ name }) => name !== NORM) } },
      'tensor encoder.ln_post.weight is missing',
    ],
    [
      'a type that is no float',
      'ERR_MODEL_UNSUPPORTED',
      { encoder: changed(encoder, NORM, { type: 11 }) },
      'tensor encoder.ln_post.weight is neither float32',
    ],
    [
      'too few bytes',
      'ERR_MODEL_CORRUPT',
      { encoder: changed(encoder, NORM, { data: new Uint8Array(124) }) },
      'has 124 bytes, where its shape [32] needs 128',
    ],
    [
      'a huge shape',
      'ERR_MODEL_CORRUPT',
      { encoder: changed(encoder, NORM, { shape: [2 ** 52, 2 ** 52] }) },
      'has 128 bytes',
    ],
    [
      'nine dimensions',
      'ERR_MODEL_CORRUPT',
      { encoder: changed(encoder, NORM, { shape: Array(9).fill(1) }) },
      'has 9 dimensions',
    ],
    [
      'a constant twice',
      'ERR_MODEL_CORRUPT',
      { encoder: { ...encoder, constants: [...encoder.constants, encoder.constants[0] as OnnxConstant] } },
      'is there twice',
    ],
    ['no graph', 'ERR_MODEL_CORRUPT', { encoder: Uint8Array.of(8, 8, 0x42, 2, 16, 17) }, 'it has 0 graphs'],
    [
      'a graph that is too long',
      'ERR_MODEL_CORRUPT',
      { encoder: Uint8Array.of(8, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1) },
      'bytes are announced',
    ],
    [
      'an endless integer',
      'ERR_MODEL_CORRUPT',
      { encoder: Uint8Array.of(8, 8, 0x3a, ...Array(20).fill(0xff)) },
      'is not an integer',
    ],
    [
      'a wire type that does not exist',
      'ERR_MODEL_CORRUPT',
      { encoder: Uint8Array.of(8, 8, 0x3a, 2, 0x0b, 0) },
      'is not a field of a message',
    ],
    [
      'the halves exchanged',
      'ERR_MODEL_CORRUPT',
      { encoder: decoder, decoder: encoder },
      'weight is missing',
    ],
  ])('%s: %s', async (_, code, parts, message) => {
    write(parts)
    const error = await failureOf(readModel(folder))
    expect(error.message).toContain(message)
    expect(error.message).toContain(folder)
    expect(error.code).toBe(code)
  })

  it('leaves no file open', async () => {
    write({ decoder: plus(decoder, 'MatMulInteger') })
    await outcomeOf(folder)
    const before = readdirSync('/proc/self/fd').length
    for (let round = 0; round < 50; round++) expect(await outcomeOf(folder)).toBe('ERR_MODEL_UNSUPPORTED')
    expect(readdirSync('/proc/self/fd').length).toBe(before)
  })

  it('as bytes', async () => {
    const error = await failureOf(readModel(assembleOnnx(encoder)))
    expect(error.message).toContain('an ONNX model is several files')
  })

  it('without its other half, or only with a decoder that needs a past', async () => {
    const half = join(root, 'half')
    await writeHuggingFaceFiles(half, SMALL)
    writeFileSync(join(half, 'encoder_model.onnx'), assembleOnnx(encoder))
    expect((await failureOf(readModel(half))).message).toContain(
      'no decoder_model.onnx and no decoder_model_merged.onnx',
    )
    const past = join(half, 'decoder_with_past_model.onnx')
    writeFileSync(past, assembleOnnx(decoder))
    expect((await failureOf(readModel(past))).message).toContain('a decoder that needs a past')
    const other = join(half, 'whisper.onnx')
    writeFileSync(other, assembleOnnx(decoder))
    expect((await failureOf(readModel(other))).message).toContain(
      'neither encoder_model.onnx nor decoder_model.onnx',
    )
  })

  it('cut anywhere is refused', async () => {
    const random = generator(5)
    const bytes = assembleOnnx(encoder)
    const lengths = [
      1,
      2,
      3,
      10,
      12,
      ...Array.from({ length: 60 }, () => random() % bytes.length),
      bytes.length - 1,
    ]
    for (const length of lengths) {
      write({ encoder: bytes.subarray(0, length), decoder: new Uint8Array(0) })
      expect(['ERR_MODEL_CORRUPT', 'ERR_MODEL_FORMAT'], `${length} bytes`).toContain(await outcomeOf(folder))
    }
  })

  it('with a wrong bit in its tables is refused or read, without any other failure', async () => {
    const bytes = assembleOnnx(encoder)
    const random = generator(7)
    for (let i = 0; i < 150; i++) {
      await withFlippedBit(bytes, 8 + (random() % (8 * 6000)), async () => {
        write({ encoder: bytes, decoder: assembleOnnx({ constants: [], operators: [] }) })
        await outcomeOf(folder)
      })
    }
  })
})

describe('values in another file', () => {
  const { parts, data } = external(encoder, 'weights')
  const at = (place: Partial<NonNullable<OnnxConstant['external']>>) =>
    constants(parts, (constant) => ({
      external: { location: 'weights', offset: 0, ...constant.external, ...place },
    }))
  beforeAll(() => writeFileSync(join(folder, 'weights'), data))

  it.each<[name: string, code: string, encoder: OnnxParts, message: string]>([
    [
      'that is missing',
      'ERR_MODEL_CORRUPT',
      at({ location: 'nothing' }),
      'its weights are in "nothing", which is missing',
    ],
    [
      'with an absolute path',
      'ERR_MODEL_CORRUPT',
      at({ location: '/etc/passwd' }),
      '"/etc/passwd", where the name of a file in its folder is needed',
    ],
    [
      'above the folder',
      'ERR_MODEL_CORRUPT',
      at({ location: '../weights' }),
      '"../weights", where the name of a file',
    ],
    ['behind a link', 'ERR_MODEL_UNSUPPORTED', at({ location: 'link' }), 'it is a link out of the folder'],
    ['that is a folder', 'ERR_MODEL_FORMAT', at({ location: 'sub' }), 'it is a directory'],
    [
      'beyond its end',
      'ERR_MODEL_CORRUPT',
      at({ offset: data.byteLength }),
      `it ends at byte ${data.byteLength}`,
    ],
    ['at an offset that is no number', 'ERR_MODEL_CORRUPT', at({ offset: '-1' }), 'the offset of'],
    ['of another length', 'ERR_MODEL_CORRUPT', at({ length: 4 }), 'has 4 bytes, where its shape'],
  ])('%s is refused', async (_, code, changedEncoder, message) => {
    const link = join(folder, 'link')
    mkdirSync(join(folder, 'sub'), { recursive: true })
    try {
      symlinkSync('/etc/hostname', link)
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('EEXIST')
    }
    write({ encoder: changedEncoder })
    const error = await failureOf(readModel(folder))
    expect(error.message).toContain(message)
    expect(error.code).toBe(code)
  })
})
