import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { readModel } from '../../../lib/model/formats/index.ts'
import { GgmlType } from '../../../lib/model/plan.ts'
import {
  assembleGgml,
  GGML_FIELDS,
  type GgmlField,
  type GgmlParts,
  ggmlParts,
} from '../../fixtures/ggml-builder.ts'
import { generator } from '../../fixtures/tiny-model.ts'
import { failureOf, outcomeOf, withFlippedBit } from './support.ts'

const parts = ggmlParts({ layers: 1 })
const { bytes } = assembleGgml(parts)
/** The same with tokens of no bytes, for what comes after them: less to read, a thousand times. */
const quick = assembleGgml({
  ...parts,
  tokens: parts.tokens.map((token, id) => (id < 256 ? token : token.subarray(0, 0))),
})
const HEADER = 56
const FIRST_RECORD = HEADER + parts.filters.byteLength + 4 + sizeOfTokens(parts.tokens)

function sizeOfTokens(tokens: readonly Uint8Array[]): number {
  return tokens.reduce((size, token) => size + 4 + token.length, 0)
}

const withHeader = (header: Partial<Record<GgmlField, number>>) => ({
  header: { ...parts.header, ...header },
})
const withRecords = (change: (records: GgmlParts['records']) => GgmlParts['records']) => ({
  records: change([...parts.records]),
})
const withRecord = (name: string, change: Partial<GgmlParts['records'][number]>) =>
  withRecords((records) =>
    records.map((record) => (record.name === name ? { ...record, ...change } : record)),
  )
const withToken = (id: number, token: Uint8Array) => ({ tokens: parts.tokens.with(id, token) })

const QUERY = 'encoder.blocks.0.attn.query.weight'
const LN = 'encoder.ln_post.weight'

describe('a damaged ggml file: ERR_MODEL_CORRUPT', () => {
  it.each<[name: string, change: Partial<GgmlParts>, message: string]>([
    ['no tensors', { records: [] }, '50 of its tensors are missing, encoder.positional_embedding among them'],
    ['a tensor is missing', withRecords((all) => all.slice(1)), '1 of its tensors are missing'],
    [
      'a tensor twice',
      withRecords((all) => [...all, all[3] as GgmlParts['records'][number]]),
      'tensor encoder.conv2.weight is there twice',
    ],
    [
      'a tensor twice in place of another',
      withRecord(LN, { name: 'encoder.ln_post.bias' }),
      'is there twice',
    ],
    [
      'an unknown tensor',
      withRecord(LN, { name: 'encoder.ln_past.weight' }),
      '"encoder.ln_past.weight" is no tensor',
    ],
    ['a tensor of __proto__', withRecord(LN, { name: '__proto__' }), '"__proto__" is no tensor'],
    ['a wrong shape', withRecord(QUERY, { shape: [64, 32] }), 'has shape [64,32], where [64,64] is needed'],
    [
      'a transposed shape',
      withRecord('encoder.blocks.0.mlp.0.weight', { shape: [256, 64] }),
      'has shape [256,64]',
    ],
    ['a wrong rank', withRecord(LN, { shape: [64, 1] }), 'has shape [64,1], where [64] is needed'],
    ['a negative dimension', withRecord(LN, { shape: [-64] }), 'has shape [-64]'],
    ['no dimension', withRecord(LN, { shape: [] }), 'is no header of a tensor (0 dimensions'],
    [
      'five dimensions',
      withRecord(LN, { shape: [64, 1, 1, 1, 1] }),
      'is no header of a tensor (5 dimensions',
    ],
    ['a long name', withRecord(LN, { name: 'n'.repeat(1000) }), '1000 bytes of name'],
    [
      'bf16 beside f16',
      withRecord(QUERY, { type: GgmlType.BF16 }),
      'has type 30, where 1 is needed beside f16',
    ],
    ['an f32 weight', withRecord(QUERY, { type: GgmlType.F32 }), 'has type 0, where 1 is needed beside f16'],
    ['an f16 bias', withRecord(LN, { type: GgmlType.F16 }), 'has type 1, where 0 is needed'],
    ['an impossible type', withRecord(LN, { type: -1 }), 'has type -1'],
    ['bytes at the end', { trailer: new Uint8Array(5) }, 'inside the header of a tensor'],
    ['more bytes at the end', { trailer: new Uint8Array(64) }, 'is no header of a tensor'],
    ['type 5', withHeader({ ftype: 5 }), 'ftype is 5, which stands for no type'],
    ['type -7', withHeader({ ftype: -7 }), 'ftype is -7'],
    ['layout version 3', withHeader({ ftype: 3001 }), 'ftype is 3001'],
    ['f32 announced', withHeader({ ftype: 0 }), 'attn.query.weight has type 1, where 0 is needed'],
    ['q5_0 announced', withHeader({ ftype: 8 }), 'has type 1, where 6 is needed beside q5_0'],
    ['iq4_nl announced', withHeader({ ftype: 19 }), 'has type 1, where 20 is needed beside iq4_nl'],
    ['no audio heads', withHeader({ n_audio_head: 0 }), 'n_audio_head is 0'],
    ['no text heads', withHeader({ n_text_head: 0 }), 'n_text_head is 0'],
    ['3 heads of 64', withHeader({ n_audio_head: 3 }), 'n_audio_head is 3, which does not divide 64'],
    ['unequal states', withHeader({ n_text_state: 128 }), 'n_text_state is 128, where n_audio_state is 64'],
    ['no state', withHeader({ n_audio_state: 0 }), 'n_audio_state is 0'],
    ['a huge state', withHeader({ n_audio_state: 1e6 }), 'n_audio_state is 1000000'],
    ['-1 layers', withHeader({ n_audio_layer: -1 }), 'n_audio_layer is -1'],
    ['65 layers', withHeader({ n_audio_layer: 65 }), 'n_audio_layer is 65'],
    ['a billion layers', withHeader({ n_text_layer: 1e9 }), 'n_text_layer is 1000000000'],
    ['two layers announced', withHeader({ n_audio_layer: 2 }), 'of its tensors are missing'],
    ['an audio context of 0', withHeader({ n_audio_ctx: 0 }), 'n_audio_ctx is 0'],
    ['an audio context of 1499', withHeader({ n_audio_ctx: 1499 }), 'has shape [64,1500], where [64,1499]'],
    ['an audio context of a million', withHeader({ n_audio_ctx: 1e6 }), 'n_audio_ctx is 1000000'],
    ['a text context of 31', withHeader({ n_text_ctx: 31 }), 'where [64,31] is needed'],
    ['a text context of 449', withHeader({ n_text_ctx: 449 }), 'where [64,449] is needed'],
    ['a vocabulary of -1', withHeader({ n_vocab: -1 }), 'n_vocab is -1'],
    ['a vocabulary of 2^31-1', withHeader({ n_vocab: 0x7fffffff }), 'n_vocab is 2147483647'],
    ['a vocabulary of 50300', withHeader({ n_vocab: 50300 }), 'has shape [64,51864], where [64,50300]'],
    ['40 filters for 80 bins', { filterBins: 40 }, 'mel filters are 40 x 201, where 80 x 201'],
    ['128 filters for 80 bins', { filterBins: 128 }, 'mel filters are 128 x 201'],
    ['40 bins for 80 filters', withHeader({ n_mels: 40 }), 'mel filters are 80 x 201, where 40 x 201'],
    ['filters of 1999', { spectrumBins: 1999 }, 'mel filters are 80 x 1999'],
    ['filters of 65537 x 65536', { filterBins: 65537, spectrumBins: 65536 }, 'mel filters are 65537 x 65536'],
    ['a filter of NaN', { filters: parts.filters.with(7, Number.NaN) }, 'value 7 of its mel filters is NaN'],
    ['no tokens', { tokenCount: 0 }, 'lists 0 tokens'],
    ['-1 tokens', { tokenCount: -1 }, 'lists -1 tokens'],
    ['two billion tokens', { tokenCount: 2e9 }, 'lists 2000000000 tokens'],
    ['a token too many', { tokenCount: parts.tokenCount + 1 }, 'is no header of a tensor'],
    ['a long token', withToken(300, new Uint8Array(1025)), 'token 300 is 1025 bytes long'],
    ['no token for the space', withToken(220, Uint8Array.of(65)), 'no token for a single space'],
  ])('%s', async (_, change, message) => {
    const error = await failureOf(readModel(assembleGgml({ ...parts, ...change }).bytes))
    expect(error.message).toContain(message)
    expect(error.message).toContain("The model '<bytes>' is damaged")
    expect(error.code).toBe('ERR_MODEL_CORRUPT')
    expect(error.advice.length).toBeGreaterThan(0)
  })

  it('a token of 4 GB', async () => {
    const huge = bytes.slice()
    new DataView(huge.buffer).setUint32(HEADER + parts.filters.byteLength + 4, 0xffffffff, true)
    const error = await failureOf(readModel(huge))
    expect(error.message).toContain('token 0 is 4294967295 bytes long')
  })
})

describe('a sound ggml file that this version does not run: ERR_MODEL_UNSUPPORTED', () => {
  it('K-quants in rows of 64, as whisper.cpp writes them of the smallest models', async () => {
    const quantized = { ...parts, ...withHeader({ ftype: 12 }) }
    quantized.records = parts.records.map((record) =>
      record.type === GgmlType.F16 ? { ...record, type: 12 } : record,
    )
    quantized.records = quantized.records.map((record) =>
      record.name.includes('conv') && record.type === 12 ? { ...record, type: GgmlType.F16 } : record,
    )
    const error = await failureOf(readModel(assembleGgml(quantized).bytes))
    expect(error.code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(error.message).toContain('have 64 values, which q4_k cannot store')
  })

  it.each<[name: string, make: () => Partial<GgmlParts>, message: string]>([
    [
      'another vocabulary',
      () => {
        const change = withRecord('decoder.token_embedding.weight', {
          shape: [64, 51860],
          data: new Uint8Array(51860 * 128),
        })
        return { ...withHeader({ n_vocab: 51860 }), ...change }
      },
      'its vocabulary has 51860 tokens',
    ],
    [
      '64 mel bins',
      () => ({
        ...withHeader({ n_mels: 64 }),
        filterBins: 64,
        filters: parts.filters.subarray(0, 64 * 201),
        ...withRecord('encoder.conv1.weight', { shape: [3, 64, 64], data: new Uint8Array(3 * 64 * 64 * 2) }),
      }),
      'it takes 64 mel bins',
    ],
    [
      'iq4_nl weights',
      () => ({
        ...withHeader({ ftype: 2019 }),
        records: parts.records.map((record) =>
          record.type === GgmlType.F16 && !record.name.includes('conv') ? { ...record, type: 20 } : record,
        ),
      }),
      'its weights are iq4_nl',
    ],
    [
      'layouts of 2023',
      () => ({
        ...withHeader({ ftype: 1008 }),
        records: parts.records.map((record) =>
          record.type === GgmlType.F16 && !record.name.includes('conv')
            ? { ...record, type: GgmlType.Q5_0 }
            : record,
        ),
      }),
      "version 1 of ggml's block layouts",
    ],
  ])('%s', async (_, make, message) => {
    const error = await failureOf(readModel(assembleGgml({ ...parts, ...make() }).bytes))
    expect(error.message).toContain(message)
    expect(error.code).toBe('ERR_MODEL_UNSUPPORTED')
  })
})

describe('any value of a field', () => {
  it('is damaged, or describes the same tensors', async () => {
    const view = new DataView(quick.bytes.buffer)
    const value = fc.oneof(fc.integer(), fc.integer({ min: -2, max: 130 }))
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: GGML_FIELDS.length - 1 }), value, async (index, number) => {
        const field = GGML_FIELDS[index] as GgmlField
        const original = parts.header[field]
        view.setInt32(4 + 4 * index, number, true)
        const outcome = await outcomeOf(quick.bytes)
        view.setInt32(4 + 4 * index, original, true)
        const dividesState = field.endsWith('_head') && number > 0 && 64 % number === 0
        const same = number === original || dividesState
        expect(outcome, `${field} = ${number}`).toBe(same ? 'plan' : 'ERR_MODEL_CORRUPT')
      }),
      { numRuns: 500 },
    )
  })
})

describe('a truncated ggml file', () => {
  // The parser is compiled by the first rounds.
  beforeAll(() => outcomeOf(bytes))

  it('is damaged at every boundary', async () => {
    const fields = new Set(quick.boundaries)
    // One byte less or more than a field inside a row of fields says nothing new.
    const ends = quick.boundaries.flatMap((end) => (fields.has(end + 4) ? [end] : [end - 1, end, end + 1]))
    for (const end of new Set(ends)) {
      if (end >= quick.bytes.length) continue
      const outcome = await outcomeOf(quick.bytes.subarray(0, end))
      if (outcome !== 'ERR_MODEL_CORRUPT') expect.fail(`${end} of ${quick.bytes.length} bytes: ${outcome}`)
    }
  })

  it('is damaged where a token ends', async () => {
    const start = HEADER + parts.filters.byteLength + 4
    for (const id of [0, 1, 255, 256, 50000, 50255]) {
      const boundary = start + sizeOfTokens(parts.tokens.slice(0, id))
      for (const end of [boundary - 1, boundary, boundary + 1, boundary + 4]) {
        expect(await outcomeOf(bytes.subarray(0, end)), `${end} bytes`).toBe('ERR_MODEL_CORRUPT')
      }
    }
  })

  it('is damaged at 200 random offsets', async () => {
    const random = generator(11)
    for (let i = 0; i < 200; i++) {
      const end = 1 + (random() % (bytes.length - 1))
      const outcome = await outcomeOf(bytes.subarray(0, end))
      if (outcome !== 'ERR_MODEL_CORRUPT') expect.fail(`${end} of ${bytes.length} bytes: ${outcome}`)
    }
  })
})

describe('a ggml file with a wrong bit', () => {
  it('anywhere in the header is damaged', async () => {
    for (let bit = 0; bit < HEADER * 8; bit++) {
      const outcome = await withFlippedBit(bytes, bit, () => outcomeOf(bytes))
      if (outcome !== 'ERR_MODEL_CORRUPT') expect.fail(`bit ${bit} of the header: ${outcome}`)
    }
  })

  it('in the head of a tensor is damaged', async () => {
    const random = generator(12)
    const heads = recordHeads()
    for (let i = 0; i < 150; i++) {
      const { start, length } = heads[random() % heads.length] as { start: number; length: number }
      const bit = start * 8 + (random() % (length * 8))
      const outcome = await withFlippedBit(quick.bytes, bit, () => outcomeOf(quick.bytes))
      if (outcome !== 'ERR_MODEL_CORRUPT') expect.fail(`bit ${bit & 7} of byte ${bit >> 3}: ${outcome}`)
    }
  })

  it('in the vocabulary is damaged, or has another letter', async () => {
    const random = generator(13)
    const start = HEADER + parts.filters.byteLength + 4
    let damaged = 0
    for (let i = 0; i < 100; i++) {
      const bit = start * 8 + (random() % ((FIRST_RECORD - start) * 8))
      const outcome = await withFlippedBit(bytes, bit, () => outcomeOf(bytes))
      expect(['ERR_MODEL_CORRUPT', 'plan']).toContain(outcome)
      if (outcome !== 'plan') damaged++
    }
    // 4 of about 9 bytes are lengths.
    expect(damaged).toBeGreaterThan(20)
  })
})

function recordHeads(): { start: number; length: number }[] {
  let start = quick.bytes.length - (bytes.length - FIRST_RECORD)
  return parts.records.map(({ name, shape, data }) => {
    const head = { start, length: 12 + 4 * shape.length + name.length }
    start += head.length + data.length
    return head
  })
}
