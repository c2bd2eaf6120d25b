// The trial of a GPU computes every operation that the graphs of this library can have. Which ones those are is taken down from
// the graphs themselves: a node that is new in them fails here by its name.
import { beforeAll, describe, expect, it } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { typeName } from '../../lib/model/ggml-types.ts'
import { GgmlType } from '../../lib/model/plan.ts'
import { buildGgml } from '../fixtures/ggml-builder.ts'
import { GRAPHS, operationsOf, short, weightTypes } from './graphs.ts'
import { cpu, hum, withModel } from './support.ts'

const { native } = addon()
const held = native.trialOperations()

const found = new Map<string, readonly string[]>()

beforeAll(async () => {
  for (const [kind, operations] of Object.entries(GRAPHS)) found.set(kind, await operations(cpu))
}, 300_000)

describe('the trial of a GPU', () => {
  it.each(Object.keys(GRAPHS))('holds all operations of %s', (kind) => {
    const operations = found.get(kind) ?? []
    expect(operations.length).toBeGreaterThan(20)
    expect(operations.filter((name) => !held.includes(name))).toEqual([])
  })

  it('holds nothing else', () => {
    const all = new Set([...found.values()].flat())
    expect(held.filter((name) => !all.has(name))).toEqual([])
  })

  it('has each operation once', () => {
    expect(held).toHaveLength(new Set(held).size)
  })

  it('holds the products and rows of all types that weights may have, and of no other', () => {
    const rows = held.flatMap((name) => /^get_rows (\w+)$/.exec(name)?.[1] ?? [])
    expect(rows.map((name) => name.toLowerCase()).toSorted()).toEqual(weightTypes.map(typeName).toSorted())
    for (const name of rows) {
      const products = held.filter((operation) => operation.startsWith(`mul_mat ${name} of `))
      expect(products).toHaveLength(4)
    }
  })

  it('would not hold what no model has had so far', async () => {
    const bytes = buildGgml({ state: 64, heads: 2, layers: 1, audioContext: 64 })
    const operations = await operationsOf(bytes, (model) => model.transcribe(hum(1), short))
    expect(operations.filter((name) => !held.includes(name))).toContain(
      'flash_attn_ext with heads of 32 of many queries',
    )
  })
})

describe('the record of operations', () => {
  it('ends when it is switched off', async () => {
    const before = native.recordOperations(false)
    await withModel(buildGgml({ type: GgmlType.Q4_0, layers: 1, audioContext: 64 }), (model) =>
      model.transcribe(hum(1), short),
    )
    expect(native.recordOperations(false)).toEqual(before)
    expect(native.recordOperations(true)).toEqual([])
    native.recordOperations(false)
  })
})
