import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { GgmlType, type LoadPlan } from '../../../lib/model/plan.ts'
import { toNativePlan } from '../../../lib/model/plan-to-native.ts'
import { validatePlan } from '../../../lib/model/validate-plan.ts'
import type { NativeByteStore } from '../../../lib/native.ts'
import { buildGgml } from '../../fixtures/ggml-builder.ts'
import { temporaryFolder } from './support.ts'

const bytes = buildGgml({ state: 32, layers: 1 })
const plan = await readModel(bytes)

describe('toNativePlan', () => {
  it('gives the addon what it wants, in the order of whisper.cpp', () => {
    const store: NativeByteStore = { append: () => -1, read: () => bytes, byteLength: bytes.length }
    const native = toNativePlan(plan, (given) => {
      expect(given).toBe(bytes)
      return store
    })
    expect([...native.hyperparameters]).toEqual([51864, 1500, 32, 1, 1, 448, 32, 1, 1, 80, 1])
    expect(native.sources).toEqual([store])
    expect(native.vocabularyLengths.length).toBe(50256)
    expect(native.vocabularyBytes).toBe(plan.vocabulary.bytes)
    expect(native.melFilters.length).toBe(80 * 201)
    expect(native.tensors[0]).toEqual({
      name: 'encoder.positional_embedding',
      shape: [32, 1500],
      type: 0,
      parts: [{ source: 0, offset: expect.any(Number), type: 0, rows: 1500 }],
    })
  })

  it('passes descriptors of files', async () => {
    const path = join(temporaryFolder(), 'model.bin')
    writeFileSync(path, bytes)
    const fromFile = await readModel(path)
    const [source] = toNativePlan(fromFile, () => expect.fail('a file needs no store')).sources
    expect(source).toBeTypeOf('number')
    await closePlan(fromFile)
  })

  it.each([
    ['Q4_0', 2],
    ['Q8_0', 7],
    ['Q5_0', 8],
    ['Q5_1', 9],
    ['Q6_K', 14],
    ['BF16', 24],
  ] as const)('names %s weights %d', (type, ftype) => {
    const store: NativeByteStore = { append: () => -1, read: () => bytes, byteLength: 0 }
    const { hyperparameters } = toNativePlan({ ...plan, weightType: GgmlType[type] }, () => store)
    expect(hyperparameters[10]).toBe(ftype)
  })
})

describe('validatePlan', () => {
  const [first, ...others] = plan.tensors as [LoadPlan['tensors'][number], ...LoadPlan['tensors']]
  const part = first.parts[0] as (typeof first.parts)[number]

  it('takes what the readers make', () => {
    validatePlan(plan)
    const halves = [
      { ...part, rows: 700 },
      { ...part, offset: part.offset + 700 * 128, rows: 800 },
    ]
    validatePlan({ ...plan, tensors: [{ ...first, parts: halves }, ...others] })
  })

  it.each<[name: string, change: Partial<LoadPlan>, message: string]>([
    ['filters of another size', { melFilters: new Float32Array(3) }, 'mel filters'],
    [
      'a long vocabulary',
      { vocabulary: { bytes: new Uint8Array(0), lengths: new Uint32Array(51864) } },
      'too long',
    ],
    [
      'lengths of other bytes',
      { vocabulary: { bytes: new Uint8Array(1), lengths: new Uint32Array(9) } },
      'wrong size',
    ],
    ['a tensor less', { tensors: others }, 'it has 49 tensors in place of 50'],
    [
      'a tensor twice',
      { tensors: [...others, others[0] as typeof first] },
      'positional_embedding is missing',
    ],
    ['a wrong shape', { tensors: [{ ...first, shape: [1500, 32] }, ...others] }, 'wrong shape'],
    ['a wrong type', { tensors: [{ ...first, type: GgmlType.F16 }, ...others] }, 'has type f16'],
    [
      'a missing row',
      { tensors: [{ ...first, parts: [{ ...part, rows: 1499 }] }, ...others] },
      'add up to 1500 rows',
    ],
    ['no rows', { tensors: [{ ...first, parts: [{ ...part, rows: 0 }, part] }, ...others] }, 'broken rows'],
    [
      'an impossible order',
      { tensors: [{ ...first, parts: [{ ...part, strides: [1, 1] }] }, ...others] },
      'an order that does not exist',
    ],
    [
      'scales outside',
      {
        tensors: [
          { ...first, parts: [{ ...part, scale: { source: 0, offset: bytes.length, count: 1 } }] },
          ...others,
        ],
      },
      'outside their source',
    ],
    [
      'data outside',
      { tensors: [{ ...first, parts: [{ ...part, offset: bytes.length }] }, ...others] },
      'outside its source',
    ],
    [
      'data before',
      { tensors: [{ ...first, parts: [{ ...part, offset: -1 }] }, ...others] },
      'outside its source',
    ],
    ['no source', { sources: [] }, 'outside its source'],
  ])('refuses %s', (_, change, message) => {
    expect(() => validatePlan({ ...plan, ...change })).toThrow(message)
    expect(() => validatePlan({ ...plan, ...change })).toThrow(
      expect.objectContaining({ code: 'ERR_INTERNAL' }),
    )
  })
})
