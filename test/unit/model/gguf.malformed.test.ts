import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readModel } from '../../../lib/model/formats/index.ts'
import { GgmlType } from '../../../lib/model/plan.ts'
import { assembleGguf, type GgufEntry, type GgufParts, ggufParts } from '../../fixtures/gguf-builder.ts'
import { generator } from '../../fixtures/tiny-model.ts'
import { failureOf, outcomeOf, withFlippedBit } from './support.ts'

const parts = ggufParts({ layers: 1, audioContext: 64 })
const smaller = ggufParts({ state: 32, layers: 1, audioContext: 64 })
/** A smaller one without tokens, for what is refused before they are looked at: less to read, a thousand times. */
const quick = {
  ...smaller,
  entries: smaller.entries.filter(([key]) => !key.startsWith('tokenizer.')),
}

const QUERY = 'encoder.blocks.0.attn.query.weight'
const LN = 'encoder.ln_post.weight'
const LAST = parts.records.at(-1)?.name as string

type Record = GgufParts['records'][number]
const withRecord = (name: string, change: Partial<Record>): Partial<GgufParts> => ({
  records: parts.records.map((record) => (record.name === name ? { ...record, ...change } : record)),
})
const without = (...names: string[]): Partial<GgufParts> => ({
  records: parts.records.filter(({ name }) => !names.includes(name)),
})
const extra = (record: Partial<Record>): Partial<GgufParts> => ({
  records: [...parts.records, { ...(parts.records.at(-1) as Record), ...record }],
})
const withEntry = (key: string, ...entry: GgufEntry): Partial<GgufParts> => ({
  entries: [...parts.entries.filter(([known]) => known !== key), [key, ...entry]],
})
const firstEntry = (key: string, ...entry: GgufEntry): Partial<GgufParts> => ({
  entries: [[key, ...entry], ...parts.entries],
})
const raw = (...values: number[]) => new Uint8Array(values)

describe('a damaged GGUF file: ERR_MODEL_CORRUPT', () => {
  it.each<[name: string, change: Partial<GgufParts>, message: string]>([
    ['version 0', { version: 0 }, 'GGUF of version 0'],
    ['-1 tensors', { tensorCount: -1 }, 'tensors, where 16384 are possible'],
    ['too many tensors', { tensorCount: 1n << 40n }, 'tensors, where 16384 are possible'],
    [
      'one tensor more than there are',
      { tensorCount: parts.records.length + 1 },
      'has 0 bytes, where 1 to 128',
    ],
    ['-1 pairs', { entryCount: -1 }, 'key-value pairs, where 4096 are possible'],
    ['too many pairs', { entryCount: 1n << 33n }, 'key-value pairs, where 4096 are possible'],
    ['an empty key', firstEntry('', 'u32', 1), 'key 0 before byte'],
    ['a long key', firstEntry('k'.repeat(1000), 'u32', 1), 'has 1000 bytes, where 1 to 256 are possible'],
    ['a key twice', firstEntry('whisper.vocab_size', 'u32', 1), 'the key "whisper.vocab_size" twice'],
    ['a value of no type', firstEntry('x', 13, raw(0)), 'has type 13, which does not exist'],
    ['a value of type -1', firstEntry('x', 0xffffffff, raw(0)), 'which does not exist'],
    [
      'a huge string',
      firstEntry('x', 8, raw(255, 255, 255, 255, 255, 255, 255, 127)),
      'bytes, where 16777216 are possible',
    ],
    [
      'a huge array',
      firstEntry('x', 9, raw(0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0)),
      'elements, where',
    ],
    ['an array of no type', firstEntry('x', 9, raw(77, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)), 'array of type 77'],
    [
      'arrays in arrays in arrays',
      firstEntry('x', 9, raw(...new Array(6).fill([9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).flat())),
      'nested 4 deep',
    ],
    ['alignment 0', withEntry('general.alignment', 'u32', 0), 'general.alignment is "0"'],
    ['alignment 13', withEntry('general.alignment', 'u32', 13), 'general.alignment is "13"'],
    ['alignment 2^31', withEntry('general.alignment', 'u32', 2 ** 31), 'where a power of 2'],
    ['alignment of another type', withEntry('general.alignment', 'f32', 32), 'where a power of 2'],
    ['alignment in words', withEntry('general.alignment', 'string', '32'), 'where a power of 2'],
    ['another alignment', withEntry('general.alignment', 'u32', 4096), 'no multiple of 4096'],
    ['a long name', withRecord(LN, { name: 'n'.repeat(200) }), 'has 200 bytes, where 1 to 128 are possible'],
    ['no name', withRecord(LN, { name: '' }), 'has 0 bytes'],
    ['a name twice', withRecord(LN, { name: 'encoder.ln_post.bias' }), 'is there twice'],
    [
      'a tensor under two names',
      withRecord('decoder.ln.weight', { name: 'model.encoder.layer_norm.weight' }),
      'encoder.ln_post.weight is there under two names',
    ],
    ['no dimensions', withRecord(LN, { shape: [] }), 'has 0 dimensions'],
    ['five dimensions', withRecord(LN, { shape: [64, 1, 1, 1, 1] }), 'has 5 dimensions'],
    ['a negative dimension', withRecord(LN, { shape: [-64] }), 'impossible shape'],
    ['a dimension of 0', withRecord(LN, { shape: [0] }), 'impossible shape [0]'],
    ['a huge dimension', withRecord(LN, { shape: [1n << 40n] }), 'impossible shape'],
    [
      'a product beyond 64 bits',
      withRecord(LN, { shape: [2 ** 31, 2 ** 31, 2 ** 31, 2 ** 31] }),
      'it ends at',
    ],
    ['type -1', withRecord(LN, { type: 0xffffffff }), 'stands for no type of ggml'],
    ['type 99', withRecord(LN, { type: 99 }), 'has type 99, which stands for no type of ggml'],
    ['an offset beyond the end', withRecord(LN, { offset: 1n << 50n }), 'it ends at byte'],
    ['an offset of 2^64 - 32', withRecord(LAST, { offset: -32 }), 'it ends at byte'],
    ['an offset that is not aligned', withRecord(LN, { offset: 4 }), 'no multiple of 32'],
    ['tensors that overlap', withRecord(LN, { offset: 32 }), 'overlap'],
    ['rows that are no blocks', withRecord(QUERY, { type: GgmlType.Q4_K }), 'which q4_k cannot store'],
    ['a missing tensor', without(QUERY), `tensor ${QUERY} is missing`],
    ['a missing kernel', without('encoder.conv1.weight'), 'tensor encoder.conv1.weight is missing'],
    ['a wrong shape', withRecord(QUERY, { shape: [64, 32] }), 'has shape [64,32], where [64,64] is needed'],
    [
      'a transposed shape',
      withRecord('encoder.blocks.0.mlp.0.weight', { shape: [256, 64] }),
      'has shape [256,64]',
    ],
    [
      'tokens of another type',
      withEntry('tokenizer.ggml.tokens', 'array', 'u32', [1]),
      'no array of strings',
    ],
    ['tokens in one string', withEntry('tokenizer.ggml.tokens', 'string', 'a'), 'no array of strings'],
    ['no tokens', withEntry('tokenizer.ggml.tokens', 'array', 'string', []), 'is missing'],
    [
      'a token of 1 MB',
      withEntry('tokenizer.ggml.tokens', 'array', 'string', ['x'.repeat(1 << 20)]),
      'token 0 is too long',
    ],
    [
      'too many tokens',
      withEntry('tokenizer.ggml.tokens', 'array', 'string', new Array(70_000).fill('')),
      '70000 tokens, where 65536 are possible',
    ],
    ...(['string', 'f32', 'bool', 'array'] as const).map((type): [string, Partial<GgufParts>, string] => [
      `a number of layers of type ${type}`,
      withEntry(
        'whisper.encoder.block_count',
        ...((type === 'array' ? ['array', 'u32', [1]] : [type, type === 'string' ? '1' : 1]) as GgufEntry),
      ),
      'whisper.encoder.block_count is',
    ]),
    ...[
      'whisper.encoder.context_length',
      'whisper.encoder.embedding_length',
      'whisper.encoder.block_count',
      'whisper.encoder.mels_count',
      'whisper.decoder.context_length',
      'whisper.decoder.embedding_length',
      'whisper.decoder.block_count',
      'whisper.vocab_size',
    ].flatMap((key) =>
      [0, 3, 2 ** 31 - 1].map((value): [string, Partial<GgufParts>, string] => [
        `${key} = ${value}`,
        withEntry(key, 'u32', value),
        value === 3 ? 'and its tensors say' : `${key} is ${value}`,
      ]),
    ),
    [
      'heads that do not fit',
      withEntry('whisper.encoder.attention.head_count', 'u32', 3),
      'which does not divide 64',
    ],
  ])('%s', async (_, change, message) => {
    const error = await failureOf(readModel(assembleGguf({ ...parts, ...change }).bytes))
    expect(error).toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
    expect(error.message).toContain(message)
    expect(error.message).toContain("'<bytes>'")
  })
})

describe('a sound GGUF file of something else: ERR_MODEL_UNSUPPORTED', () => {
  const architecture = (name: string) => withEntry('general.architecture', 'string', name)
  it.each<[name: string, change: Partial<GgufParts>, message: string]>([
    ['version 1', { version: 1 }, 'GGUF of version 1'],
    ['version 4', { version: 4 }, 'GGUF of version 4'],
    ['big-endian', { version: 0x03000000 }, 'a big-endian GGUF file'],
    ['llama', architecture('llama'), 'the architecture "llama"'],
    ['clip', architecture('clip'), 'the encoder of a multimodal model'],
    ['an adapter', withEntry('general.type', 'string', 'adapter'), 'it is an adapter'],
    ['a part of a split file', withEntry('split.count', 'u16', 4), 'one of 4 parts'],
    ['a future convention of ours', withEntry('whisper_hip.version', 'u32', 9), 'whisper_hip.version is 9'],
    [
      'an encoder alone',
      { records: parts.records.filter(({ name }) => name.startsWith('encoder')) },
      'only the encoder',
    ],
    [
      'other tensors',
      { records: [{ ...(parts.records[0] as Record), name: 'x' }] },
      'not those of a Whisper',
    ],
    [
      'a tensor too many',
      extra({ name: 'x.weight' }),
      '1 of its tensors are not part of Whisper, "x.weight"',
    ],
    ['an adapter in tensors', extra({ name: 'encoder.blocks.0.attn.query.lora_a' }), 'it is an adapter'],
    ['a bias for keys', extra({ name: 'encoder.blocks.0.attn.key.bias' }), 'a bias for keys'],
    ['an untied head', extra({ name: 'model.proj_out.weight' }), 'untied output head'],
    ['iq2_xxs', withRecord(QUERY, { type: 16 }), 'is iq2_xxs, a type that is not read'],
    ['a removed type', withRecord(QUERY, { type: 4 }), 'removed from ggml'],
    ['int32', withRecord(QUERY, { type: 26 }), 'is i32, a type'],
    [
      "PyTorch's order",
      { records: parts.records.map((record) => ({ ...record, shape: record.shape.toReversed() })) },
      'in the order of PyTorch',
    ],
  ])('%s', async (_, change, message) => {
    const error = await failureOf(readModel(assembleGguf({ ...parts, ...change }).bytes))
    expect(error).toMatchObject({ code: 'ERR_MODEL_UNSUPPORTED' })
    expect(error.message).toContain(message)
  })

  it('another activation', async () => {
    const stt = ggufParts({ layers: 1, dialect: 'transcribe.cpp' })
    const entries = stt.entries.filter(([key]) => key !== 'stt.whisper.encoder.activation')
    entries.push(['stt.whisper.encoder.activation', 'string', 'relu'])
    expect(await failureOf(readModel(assembleGguf({ ...stt, entries }).bytes))).toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      message: expect.stringContaining('stt.whisper.encoder.activation is "relu", where Whisper has "gelu"'),
    })
  })
})

describe('a GGUF file with holes', () => {
  it('is refused at every boundary and beside it', async () => {
    const { bytes, boundaries } = assembleGguf(quick)
    for (const boundary of boundaries) {
      for (const length of [boundary - 1, boundary, boundary + 1]) {
        if (length < 4 || length >= bytes.length) continue
        expect(await outcomeOf(bytes.subarray(0, length)), `${length} bytes`).toBe('ERR_MODEL_CORRUPT')
      }
    }
  }, 120_000)

  it('is refused with any bit of its tables wrong, or it does not matter', async () => {
    const { bytes: file } = assembleGguf(quick)
    const random = generator(3)
    for (let round = 0; round < 4000; round++) {
      const bit = round < 1600 ? round : random() % (8 * 9000)
      await withFlippedBit(file, bit, () => outcomeOf(file))
    }
  }, 120_000)

  it('never does anything but fail, whatever its numbers are', async () => {
    const numbers = fc.oneof(
      fc.constantFrom(0n, 1n, 2n ** 31n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
      fc.bigInt(0n, 70_000n),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.nat(quick.records.length - 1),
        numbers,
        numbers,
        fc.nat(50),
        async (at, a, b, type) => {
          const record = quick.records[at] as Record
          const changed = { ...record, type, shape: [a, b], offset: a * 32n }
          const outcome = await outcomeOf(
            assembleGguf({ ...quick, records: quick.records.with(at, changed) }).bytes,
          )
          expect(outcome).toMatch(/^ERR_MODEL_(CORRUPT|UNSUPPORTED)$/)
        },
      ),
      { numRuns: 200 },
    )
  }, 120_000)
})
