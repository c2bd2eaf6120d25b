import { closeSync, openSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { addon, loadBackends } from '../../lib/backend/addon.ts'
import { readLegacyGgml } from '../../lib/model/formats/legacy-ggml.ts'
import { toNativePlan } from '../../lib/model/plan-to-native.ts'
import { bytesSource } from '../../lib/model/sources.ts'
import type { NativeByteStore, NativeLoadPlan, NativePlanTensor } from '../../lib/native.ts'
import { Pacer } from '../../lib/pacer.ts'
import { buildGgml } from '../fixtures/ggml-builder.ts'
import { expectNothingLeft, openFiles, rejection } from './support.ts'

/** The addon's own look at a plan: whoever made it, it is not believed. */
const bytes = buildGgml({ audioContext: 64, layers: 1 })
let good: NativeLoadPlan
let store: NativeByteStore

beforeAll(async () => {
  await loadBackends()
  store = new (addon().native.ByteStore)()
  store.append(bytes, false)
  const plan = await readLegacyGgml(bytesSource(bytes), new Pacer())
  good = toNativePlan(plan, () => store)
})

const options = {
  backend: 'cpu',
  device: 0,
  allowPartial: true,
  flashAttention: true,
} as const
const load = (plan: unknown) => addon().native.loadModel(plan as NativeLoadPlan, options, () => {})

/** The plan with another value of a hyperparameter, in the order of the header. */
function withParameter(index: number, value: number): NativeLoadPlan {
  const hyperparameters = good.hyperparameters.slice()
  hyperparameters[index] = value
  return { ...good, hyperparameters }
}

/** The plan with one of its tensors changed. */
function withTensor(name: string, change: (tensor: NativePlanTensor) => unknown): unknown {
  const tensors = good.tensors.map((tensor) =>
    tensor.name === name ? change(structuredClone(tensor)) : tensor,
  )
  expect(tensors).not.toEqual(good.tensors)
  return { ...good, tensors }
}

const weights = 'decoder.token_embedding.weight'

describe('a good plan', () => {
  it('loads', async () => {
    const model = await load(good).result
    expect(model.device).toBe('CPU')
    await model.dispose()
  })
})

describe('hyperparameters', () => {
  const hostile = [-1, 0, 1, 2 ** 31 - 1, -(2 ** 31), 1_000_000]
  const fields = ['n_vocab', 'n_audio_ctx', 'n_audio_state', 'n_audio_head', 'n_audio_layer', 'n_text_ctx']
  fields.push('n_text_state', 'n_text_head', 'n_text_layer', 'n_mels', 'ftype')

  it.each(fields.map((field, i) => [field, i] as const))('of another %s are refused', async (_, index) => {
    const given = good.hyperparameters[index] as number
    // Two heads would do as well as one.
    const near = index === 3 || index === 7 ? [3, 65] : [given - 1, given + 1]
    for (const value of [...hostile, ...near].filter((number) => number !== given)) {
      expect(await rejection(load(withParameter(index, value)).result), `${value}`).toMatchObject({
        code: 'ERR_MODEL_CORRUPT',
      })
    }
  })

  it('of the wrong number are refused', () => {
    for (const length of [0, 10, 12])
      expect(() => load({ ...good, hyperparameters: new Int32Array(length) })).toThrow(TypeError)
  })
})

describe('tensors', () => {
  it.each<[string, (tensor: NativePlanTensor) => unknown]>([
    ['a transposed shape', (tensor) => ({ ...tensor, shape: tensor.shape.toReversed() })],
    ['another rank', (tensor) => ({ ...tensor, shape: [...tensor.shape, 1] })],
    ['a smaller shape', (tensor) => ({ ...tensor, shape: [64, 51863] })],
    ['another type in memory', (tensor) => ({ ...tensor, type: 0 })],
    ['a quantised type in memory', (tensor) => ({ ...tensor, type: 8 })],
    ['an unknown name', (tensor) => ({ ...tensor, name: 'decoder.token_embedding.weights' })],
    ['a name that is there already', (tensor) => ({ ...tensor, name: 'decoder.ln.weight' })],
    ['a name with a NUL', (tensor) => ({ ...tensor, name: `${weights}\0` })],
    ['no parts', (tensor) => ({ ...tensor, parts: [] })],
    ['a missing row', ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, rows: 51863 }] })],
    ['a row too many', ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, rows: 51865 }] })],
    ['an empty part', ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [part, { ...part, rows: 0 }] })],
    [
      'endless rows',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, rows: 2 ** 53 - 1 }] }),
    ],
    ['its data twice', ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [part, part] })],
    [
      'a source that is not there',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, source: 1 }] }),
    ],
    [
      'an offset at the end',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, offset: bytes.length }] }),
    ],
    [
      'an offset beyond all',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, offset: 2 ** 53 - 1 }] }),
    ],
    [
      'integers of 32 bits',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, type: 26 }] }),
    ],
    [
      'strides that leave values out',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, strides: [1, 32] }] }),
    ],
    [
      'strides of another rank',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, strides: [1] }] }),
    ],
    [
      'strides of blocks',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, type: 8, strides: [1, 64] }] }),
    ],
    [
      'scales that do not fit the rows',
      ({ parts: [part], ...tensor }) => ({
        ...tensor,
        parts: [{ ...part, scale: { source: 0, offset: 0, count: 7 } }],
      }),
    ],
    [
      'scales outside of the source',
      ({ parts: [part], ...tensor }) => ({
        ...tensor,
        parts: [{ ...part, scale: { source: 0, offset: bytes.length - 3, count: 1 } }],
      }),
    ],
    [
      'scales of no source',
      ({ parts: [part], ...tensor }) => ({
        ...tensor,
        parts: [{ ...part, scale: { source: 9, offset: 0, count: 1 } }],
      }),
    ],
  ])('with %s are refused', async (_, change) => {
    expect(await rejection(load(withTensor(weights, change)).result)).toMatchObject({
      code: 'ERR_MODEL_CORRUPT',
    })
  })

  it.each<[string, (tensor: NativePlanTensor) => unknown]>([
    ['an unknown type', (tensor) => ({ ...tensor, type: 99 })],
    ['a type that was removed', (tensor) => ({ ...tensor, type: 4 })],
    ['a negative type', (tensor) => ({ ...tensor, type: -1 })],
    ['a type that is no number', (tensor) => ({ ...tensor, type: 'f16' })],
    ['a negative size', (tensor) => ({ ...tensor, shape: [64, -1] })],
    ['a size of zero', (tensor) => ({ ...tensor, shape: [64, 0] })],
    ['a size that is no number', (tensor) => ({ ...tensor, shape: [64, Number.NaN] })],
    ['a huge size', (tensor) => ({ ...tensor, shape: [64, 2 ** 40] })],
    ['a fraction of a size', (tensor) => ({ ...tensor, shape: [64.5, 51864] })],
    ['no shape', (tensor) => ({ ...tensor, shape: [] })],
    ['five dimensions', (tensor) => ({ ...tensor, shape: [64, 51864, 1, 1, 1] })],
    [
      'a source beyond 32 bits',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, source: 2 ** 32 }] }),
    ],
    [
      'a negative offset',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, offset: -1 }] }),
    ],
    [
      'a fraction of an offset',
      ({ parts: [part], ...tensor }) => ({ ...tensor, parts: [{ ...part, offset: 0.5 }] }),
    ],
    ['a part that is no object', (tensor) => ({ ...tensor, parts: [null] })],
    ['nothing at all', () => null],
  ])('with %s are no plan', async (_, change) => {
    expect(() => load(withTensor(weights, change))).toThrow()
  })

  it('that are missing are named', async () => {
    const tensors = good.tensors.filter(({ name }) => name !== weights)
    const message = expect.stringContaining(weights)
    expect(await rejection(load({ ...good, tensors }).result)).toMatchObject({
      code: 'ERR_MODEL_CORRUPT',
      message,
    })
  })
})

describe('the rest', () => {
  it.each([
    ['mel filters', { melFilters: new Float32Array(80 * 201 - 1) }],
    ['an empty vocabulary', { vocabularyBytes: new Uint8Array(0), vocabularyLengths: new Uint32Array(0) }],
    ['a vocabulary longer than its bytes', { vocabularyLengths: Uint32Array.of(2 ** 32 - 1) }],
    ['too many tokens', { vocabularyBytes: new Uint8Array(0), vocabularyLengths: new Uint32Array(51_865) }],
  ])('of a plan with bad %s is refused', async (_, change) => {
    expect(await rejection(load({ ...good, ...change }).result)).toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
  })

  it.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['a number', () => 1],
    ['an empty object', () => ({})],
    ['another array', () => ({ ...good, melFilters: new Float64Array(80 * 201) })],
    ['a plain array', () => ({ ...good, hyperparameters: [1, 2, 3] })],
    ['a source that is no source', () => ({ ...good, sources: ['/etc/passwd'] })],
    ['an object as source', () => ({ ...good, sources: [{}] })],
    ['no sources', () => ({ ...good, sources: undefined })],
    ['a trap', () => new Proxy(good, { get: () => expect.unreachable() })],
  ])('of a plan with %s throws', (_, plan) => {
    expect(() => load(plan())).toThrow()
  })

  it.each([-1, 99_999])('with the file descriptor %d throws', (descriptor) => {
    expect(() => load({ ...good, sources: [descriptor] })).toThrow(/descriptor/)
  })

  it('does not need its file descriptor any longer, and closes its own', async () => {
    const files = openFiles()
    const descriptor = openSync('/dev/null', 'r')
    const task = load({ ...good, sources: [descriptor] })
    closeSync(descriptor)
    expect(await rejection(task.result)).toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
    expect(openFiles()).toBe(files)
  })

  it('leaves nothing behind', async () => {
    good = undefined as unknown as NativeLoadPlan
    store = undefined as unknown as NativeByteStore
    await expectNothingLeft()
  })
})
