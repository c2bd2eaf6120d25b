import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { WhisperHipError } from '../../../lib/errors.ts'
import { readContainer } from '../../../lib/model/formats/ctranslate2-container.ts'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { bytesSource } from '../../../lib/model/sources.ts'
import { Pacer } from '../../../lib/pacer.ts'
import {
  assembleCt2,
  CT2_TYPES,
  type Ct2Parts,
  type Ct2Variable,
  ct2Parts,
  ct2Tokens,
  tokenizerJson,
  writeCt2Folder,
} from '../../fixtures/ct2-builder.ts'
import { generator } from '../../fixtures/tiny-model.ts'
import { failureOf, outcomeOf, temporaryFolder, withFlippedBit } from './support.ts'

const root = temporaryFolder()
const folder = join(root, 'model')
const parts = ct2Parts({ layers: 1 })
const { bytes, boundaries } = assembleCt2(parts)

/** A small file with the same structure: the embedding cut to 8 rows. */
const short = assembleCt2({
  ...parts,
  variables: parts.variables.map((variable) =>
    variable.name === 'decoder/embeddings/weight'
      ? { ...variable, shape: [8, 64], data: variable.data.subarray(0, 8 * 128) }
      : variable,
  ),
})

beforeAll(() => writeCt2Folder(folder, { layers: 1 }))

const withVariable = (name: string, change: Partial<Ct2Variable>) => ({
  variables: parts.variables.map((variable) =>
    variable.name === name ? { ...variable, ...change } : variable,
  ),
})
const withScalar = (name: string, value: number) =>
  withVariable(name, { data: Uint8Array.of(value, value >> 8).subarray(0, name.endsWith('heads') ? 2 : 1) })
const without = (name: string) => ({
  variables: parts.variables.filter((variable) => variable.name !== name),
})
const plus = (...extra: Ct2Variable[]) => ({ variables: [...parts.variables, ...extra] })
const variableOf = (name: string) => parts.variables.find((variable) => variable.name === name) as Ct2Variable

async function failureWith(change: Partial<Ct2Parts>, model = folder): Promise<WhisperHipError> {
  writeFileSync(join(folder, 'model.bin'), assembleCt2({ ...parts, ...change }).bytes)
  return await failureOf(readModel(model))
}

const LINEAR = 'encoder/layer_0/self_attention/linear_0/weight'
const NORM = 'encoder/layer_norm/gamma'

describe('a damaged CTranslate2 file: ERR_MODEL_CORRUPT', () => {
  it.each<[name: string, change: Partial<Ct2Parts>, message: string]>([
    ['version 0', { version: 0 }, 'its binary version is 0'],
    ['version 2^32-1', { version: 0xffffffff }, 'its binary version is 4294967295'],
    ['revision 2^32-1', { revision: 0xffffffff }, 'its revision is 4294967295'],
    [
      'a wrong size',
      withVariable(NORM, { shape: [65] }),
      'has 128 bytes, where its shape [65] and type f16 need 130',
    ],
    [
      'a huge shape',
      withVariable(NORM, { shape: [0xffffffff, 0xffffffff, 0xffffffff] }),
      `variable ${NORM} has 128 bytes`,
    ],
    ['many dimensions', withVariable(NORM, { shape: [64, 1, 1, 1, 1] }), 'has 5 dimensions'],
    ['another rank', withVariable(NORM, { shape: [64, 1] }), 'has shape [64,1], where [64] is needed'],
    [
      'a transposed weight',
      withVariable(LINEAR, { shape: [64, 192] }),
      'has shape [64,192], where [192,64] is needed',
    ],
    ['a missing variable', without(NORM), `variable ${NORM} is missing`],
    [
      'a missing embedding',
      without('decoder/embeddings/weight'),
      '"decoder/embeddings/weight", which does not exist',
    ],
    ['missing heads', without('encoder/num_heads'), 'variable encoder/num_heads is missing'],
    ['a variable twice', plus(variableOf(NORM)), `variable "${NORM}" is there twice`],
    ['an alias of nothing', { aliases: [['a', 'b']] }, '"a" is an alias of "b", which does not exist'],
    [
      'a cyclic alias',
      {
        aliases: [
          ['a', 'b'],
          ['b', 'a'],
        ],
      },
      '"a" is an alias of "b", which does not exist',
    ],
    ['an alias of itself', { aliases: [['a', 'a']] }, '"a" is an alias of "a", which does not exist'],
    ['an alias in place of a variable', { aliases: [[NORM, LINEAR]] }, `variable "${NORM}" is there twice`],
    ['no projection', { aliases: [] }, 'variable decoder/projection/weight is missing'],
    ['0 heads', withScalar('encoder/num_heads', 0), 'n_audio_head is 0'],
    ['3 heads', withScalar('decoder/num_heads', 3), 'n_text_head is 3, which does not divide 64'],
    ['-1 heads', withScalar('decoder/num_heads', -1), 'n_text_head is -1'],
    ['a spare layer', plus({ ...variableOf(NORM), name: 'encoder/layer_9/x' }), 'encoder/layer_1/'],
    ['layer 999', plus({ ...variableOf(NORM), name: 'encoder/layer_999/x' }), 'n_audio_layer is 1000'],
    ['bf16 beside f16', withVariable(NORM, { type: CT2_TYPES.bf16 }), 'which exclude one another'],
    ['an empty name', withVariable(NORM, { name: '' }), 'is no name'],
    ['a long name', withVariable(NORM, { name: 'n'.repeat(300) }), 'is no name'],
    ['a name with a space', withVariable(NORM, { name: 'a b' }), 'is no name'],
  ])('%s', async (_, change, message) => {
    const error = await failureWith(change)
    expect(error.message).toContain(message)
    expect(error.message).toContain(join(folder, 'model.bin'))
    expect(error.code).toBe('ERR_MODEL_CORRUPT')
  })

  it('bytes at the end', async () => {
    writeFileSync(join(folder, 'model.bin'), Buffer.concat([bytes, Buffer.alloc(3)]))
    expect((await failureOf(readModel(folder))).message).toContain('3 bytes follow the end')
  })

  it('many variables', async () => {
    const many = bytes.slice(0, 1000)
    new DataView(many.buffer).setUint32(22, 0xffffffff, true)
    writeFileSync(join(folder, 'model.bin'), many)
    expect((await failureOf(readModel(folder))).message).toContain('announces 4294967295 variables')
  })
})

describe('a quantised CTranslate2 file with scales that do not fit: ERR_MODEL_CORRUPT', () => {
  const quantized = ct2Parts({ layers: 1, quantized: 'int8' })
  const SCALE = `${LINEAR}_scale`
  const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
  const changed = (name: string, change: Partial<Ct2Variable>) => ({
    ...quantized,
    variables: quantized.variables.map((variable) =>
      variable.name === name ? { ...variable, ...change } : variable,
    ),
  })
  const scales = (value: number) =>
    changed(SCALE, { data: floats(...Array.from({ length: 191 }, () => 2000), value) })

  it.each<[name: string, change: Ct2Parts, message: string]>([
    [
      'no scales',
      { ...quantized, variables: quantized.variables.filter(({ name }) => name !== SCALE) },
      `variable ${SCALE} is missing`,
    ],
    ['a scale of 0', scales(0), `variable ${SCALE} has the scale 0 for row 191`],
    ['a negative scale', scales(-1), 'has the scale -1 for row 191'],
    ['a scale that is no number', scales(Number.NaN), 'has the scale NaN for row 191'],
    ['an infinite scale', scales(Number.POSITIVE_INFINITY), 'has the scale Infinity for row 191'],
    [
      'one scale for all rows',
      changed(SCALE, { shape: [], data: floats(2000) }),
      `variable ${SCALE} has shape [], where [192] is needed`,
    ],
    [
      'scales of f16',
      changed(SCALE, { type: CT2_TYPES.f16, data: new Uint8Array(2 * 192) }),
      `variable ${SCALE} is f16, where f32 is needed`,
    ],
    [
      'int16 beside int8',
      changed(LINEAR, { type: CT2_TYPES.i16, data: new Uint8Array(2 * 192 * 64) }),
      'which exclude one another',
    ],
    [
      'a quantised norm',
      changed(NORM, { type: CT2_TYPES.i8, data: new Uint8Array(64) }),
      `variable ${NORM} is i8, and only weights are quantised`,
    ],
  ])('%s', async (_, change, message) => {
    const error = await failureWith(change)
    expect(error.message).toContain(message)
    expect(error.code).toBe('ERR_MODEL_CORRUPT')
  })
})

describe('a sound CTranslate2 model that this version does not run: ERR_MODEL_UNSUPPORTED', () => {
  const int32 = new Uint8Array(4 * 192 * 64)
  it.each<[name: string, change: Partial<Ct2Parts>, message: string]>([
    ['version 1', { version: 1 }, 'its binary version is 1, where 3 to 6 are supported'],
    ['version 7', { version: 7 }, 'its binary version is 7'],
    ['revision 4', { revision: 4 }, 'its revision is 4, where 3 is supported'],
    ['4-bit weights', withVariable(LINEAR, { type: CT2_TYPES.i32, data: int32 }), `4 bits (AWQ): ${LINEAR}`],
    [
      'an untied head',
      {
        ...plus({ ...variableOf('decoder/embeddings/weight'), name: 'decoder/projection/weight' }),
        aliases: [],
      },
      'untied output head',
    ],
    [
      'another activation',
      withScalar('decoder/activation', 2),
      '"decoder/activation" is 2, where Whisper has 1 or 3',
    ],
    ['post-norm', withScalar('decoder/pre_norm', 0), '"decoder/pre_norm" is 0'],
    [
      'a scalar with a name of JavaScript',
      plus({ name: 'constructor', shape: [], type: CT2_TYPES.i8, data: Uint8Array.of(1) }),
      '"constructor" is 1, where Whisper has 0',
    ],
    ['ALiBi', withScalar('decoder/alibi', 1), '"decoder/alibi" is 1, where Whisper has 0'],
    [
      'a low-rank model',
      plus({ ...variableOf(NORM), name: 'encoder/layer_0/ffn/linear_0/low_rank_weight' }),
      '"encoder/layer_0/ffn/linear_0/low_rank_weight" is not part of Whisper',
    ],
    [
      'a key bias',
      withVariable('decoder/layer_0/attention/linear_1/bias', { data: new Uint8Array(256).with(127, 0x3c) }),
      'has a bias for keys',
    ],
    [
      'another vocabulary',
      withVariable('decoder/embeddings/weight', {
        shape: [51863, 64],
        data: variableOf('decoder/embeddings/weight').data.subarray(128),
      }),
      'its vocabulary has 51863 tokens',
    ],
  ])('%s', async (_, change, message) => {
    const error = await failureWith(change)
    expect(error.message).toContain(message)
    expect(error.code).toBe('ERR_MODEL_UNSUPPORTED')
  })

  it('takes negative zeros for no key bias', async () => {
    const data = new Uint8Array(384).fill(0).map((_, i) => (i % 2 === 1 && i >= 128 && i < 256 ? 0x80 : 0))
    writeFileSync(
      join(folder, 'model.bin'),
      assembleCt2({ ...parts, ...withVariable('encoder/layer_0/self_attention/linear_0/bias', { data }) })
        .bytes,
    )
    await closePlan(await readModel(folder))
  })

  it('has the vocabulary of OpenAI as bytes', async () => {
    const plan = await readModel(bytes)
    await closePlan(plan)
    expect(plan.conversions[0]).toContain("OpenAI's is used")
  })
})

/** What reading the table of contents alone comes to. */
async function containerOutcome(input: Uint8Array): Promise<string> {
  try {
    await readContainer(bytesSource(input), new Pacer())
    return 'read'
  } catch (error) {
    if (error instanceof WhisperHipError) return error.code
    throw error
  }
}

describe('a truncated CTranslate2 file', () => {
  it('is damaged at every boundary', async () => {
    for (const end of new Set(boundaries.flatMap((boundary) => [boundary - 1, boundary, boundary + 1]))) {
      if (end >= bytes.length) continue
      const outcome = await containerOutcome(bytes.subarray(0, end))
      if (outcome !== 'ERR_MODEL_CORRUPT') expect.fail(`${end} of ${bytes.length} bytes: ${outcome}`)
    }
  })

  it('is damaged at 200 random offsets', async () => {
    const random = generator(21)
    for (let i = 0; i < 200; i++) {
      const end = 18 + (random() % (bytes.length - 18))
      const outcome = await outcomeOf(bytes.subarray(0, end))
      if (outcome !== 'ERR_MODEL_CORRUPT') expect.fail(`${end} of ${bytes.length} bytes: ${outcome}`)
    }
  })
})

describe('a CTranslate2 file with a wrong bit', () => {
  it('in its header is refused', async () => {
    for (let bit = 0; bit < 26 * 8; bit++) {
      const outcome = await withFlippedBit(bytes, bit, () => outcomeOf(bytes))
      // 4 is a version that has the layout of 6; 2, 7 and revision 7 may be real.
      const versions = ['ERR_MODEL_CORRUPT', 'ERR_MODEL_UNSUPPORTED']
      const isVersion = bit < 32 || (bit >= 18 * 8 && bit < 22 * 8)
      expect(isVersion ? [...versions, 'plan'] : versions.slice(0, 1), `bit ${bit}`).toContain(outcome)
    }
  })

  it('in the head of a variable is refused, or shows in its name', async () => {
    const random = generator(22)
    const names = new Set(parts.variables.map(({ name }) => name))
    for (let i = 0; i < 1500; i++) {
      const boundary = short.boundaries[random() % short.boundaries.length] as number
      const bit = 8 * (boundary - 1 - (random() % 4)) + (random() % 8)
      if (bit < 26 * 8 || isPayload(bit >> 3)) continue
      await withFlippedBit(short.bytes, bit, async () => {
        try {
          const { variables } = await readContainer(bytesSource(short.bytes), new Pacer())
          const types = new Set([...variables.values()].map(({ type }) => type))
          const renamed = [...names].some((name) => !variables.has(name))
          const mixed = types.has('f16') && types.has('bf16')
          expect(renamed || mixed || !variables.has('decoder/projection/weight'), `bit ${bit}`).toBe(true)
        } catch (error) {
          expect(error, `bit ${bit}`).toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
        }
      })
    }
  })
})

/** Data of variables is followed by no check. */
function isPayload(at: number): boolean {
  let start = 26
  for (const { name, shape, data } of parts.variables) {
    start += 2 + name.length + 1 + 1 + 4 * shape.length + 5
    const length = name === 'decoder/embeddings/weight' ? 8 * 128 : data.length
    if (at >= start && at < start + length) return true
    start += length
  }
  return false
}

describe('a bad file beside a CTranslate2 model', () => {
  const tokens = ct2Tokens()
  const list = JSON.stringify(tokens)
  const renamed = (id: number, name: string) => JSON.stringify(tokens.with(id, name))

  it.each<[name: string, files: Record<string, string>, code: string, message: string]>([
    [
      'an empty list',
      { 'vocabulary.json': '[]' },
      'ERR_MODEL_CORRUPT',
      'it has 0 tokens, where the model has 51864',
    ],
    ['an empty file', { 'vocabulary.json': '' }, 'ERR_MODEL_CORRUPT', "JSON at byte 0 is not '['"],
    ['half a list', { 'vocabulary.json': list.slice(0, 100_000) }, 'ERR_MODEL_CORRUPT', 'JSON at byte'],
    [
      'a token too few',
      { 'vocabulary.txt': tokens.slice(1).join('\n') },
      'ERR_MODEL_CORRUPT',
      'it has 51863 tokens',
    ],
    [
      'a token too many',
      { 'vocabulary.txt': `a\n${tokens.join('\n')}` },
      'ERR_MODEL_CORRUPT',
      'it has a token 51864',
    ],
    [
      'a raw character',
      { 'vocabulary.json': renamed(1000, 'a b') },
      'ERR_MODEL_CORRUPT',
      'token 1000, "a b", is not in byte-level form',
    ],
    [
      'a long token',
      { 'vocabulary.json': renamed(1000, 'a'.repeat(3000)) },
      'ERR_MODEL_CORRUPT',
      'token 1000 is too long',
    ],
    [
      'a fairly long token',
      { 'vocabulary.json': renamed(1000, 'a'.repeat(1025)) },
      'ERR_MODEL_CORRUPT',
      'token 1000 is 1025 bytes long',
    ],
    [
      'no space',
      { 'vocabulary.json': renamed(220, 'x') },
      'ERR_MODEL_CORRUPT',
      'no token for a single space',
    ],
    [
      'another special token',
      { 'vocabulary.json': renamed(50257, '<|start|>') },
      'ERR_MODEL_UNSUPPORTED',
      'token 50257 is "<|start|>", where whisper.cpp has <|startoftranscript|>',
    ],
    [
      'languages in another order',
      { 'vocabulary.json': renamed(50259, '<|de|>') },
      'ERR_MODEL_UNSUPPORTED',
      'where whisper.cpp has <|zh|>',
    ],
    [
      'tokenizer without a token',
      { 'tokenizer.json': tokenizerJson(tokens).replace('"!":0,', '') },
      'ERR_MODEL_CORRUPT',
      'token 0 is missing',
    ],
    [
      'tokenizer with two tokens of an id',
      { 'tokenizer.json': tokenizerJson(tokens).replace('"!":0', '"!":1') },
      'ERR_MODEL_CORRUPT',
      'it has two tokens 1',
    ],
    [
      'tokenizer without special tokens',
      { 'tokenizer.json': '{"model":{"vocab":{}},"added_tokens":[]}' },
      'ERR_MODEL_CORRUPT',
      'token 50256 (<|endoftext|>) is missing',
    ],
    [
      'tokenizer with a nameless token',
      { 'tokenizer.json': '{"added_tokens":[{"id":1}]}' },
      'ERR_MODEL_CORRUPT',
      'no id or no content',
    ],
    [
      'tokenizer with a huge id',
      { 'tokenizer.json': '{"added_tokens":[{"id":99999999,"content":"a"}]}' },
      'ERR_MODEL_CORRUPT',
      'it has a token 99999999',
    ],
    [
      'tokenizer with a negative id',
      { 'tokenizer.json': '{"model":{"vocab":{"a":-1}}}' },
      'ERR_MODEL_CORRUPT',
      'is not a non-negative integer',
    ],
    [
      'tokenizer that nests',
      { 'tokenizer.json': `{"x":${'['.repeat(1e6)}` },
      'ERR_MODEL_CORRUPT',
      'is not a value',
    ],
    [
      'an endless vocabulary',
      { 'vocabulary.txt': 'x'.repeat(9 << 20) },
      'ERR_MODEL_CORRUPT',
      'bytes, where 8388608 are possible',
    ],
    [
      'a configuration that is no JSON',
      { 'vocabulary.json': list, 'config.json': '{' },
      'ERR_MODEL_CORRUPT',
      'it is not JSON',
    ],
    [
      'a huge configuration',
      { 'vocabulary.json': list, 'config.json': ' '.repeat(2 << 20) },
      'ERR_MODEL_CORRUPT',
      'bytes, where 1048576 are possible',
    ],
    [
      'AWQ',
      { 'vocabulary.json': list, 'config.json': '{"quantization_type":1}' },
      'ERR_MODEL_UNSUPPORTED',
      'config.json says quantization_type 1',
    ],
    [
      'a quantisation that is no number',
      { 'vocabulary.json': list, 'config.json': '{"quantization_type":{"toString":1}}' },
      'ERR_MODEL_UNSUPPORTED',
      'config.json says quantization_type of type object',
    ],
  ])('%s', async (_, files, code, message) => {
    const place = join(root, 'companions')
    rmSync(place, { recursive: true, force: true })
    mkdirSync(place)
    writeFileSync(join(place, 'model.bin'), bytes)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text)
    const error = await failureOf(readModel(place))
    expect(error.message).toContain(message)
    expect(error.message).toContain(place)
    expect(error.code).toBe(code)
  })

  it.each(['null', '[]', '{"quantization_type":0}', '{}'])('takes %s for a configuration', async (text) => {
    writeFileSync(join(folder, 'model.bin'), bytes)
    writeFileSync(join(folder, 'config.json'), text)
    await closePlan(await readModel(folder))
  })
})
