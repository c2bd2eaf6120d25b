// A GPU that computes one operation wrongly does not pass its trial, whatever the operation: the cases are made from the list of
// those that the trial holds, which is the list of those that models have (test/native/trial.test.ts).

import { writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { addon } from '../../../lib/backend/addon.ts'
import { assertGpu, type BackendInfo } from '../../../lib/index.ts'
import { GgmlType } from '../../../lib/model/plan.ts'
import { buildGgml } from '../../fixtures/ggml-builder.ts'
import { fakeGpu } from '../build.mjs'
import { backendOf, GREEDY, runOf, Scene } from '../scene.ts'

const operations = addon().native.trialOperations()
/** As ggml has them: `MUL_MAT`, `GELU`. */
const kinds = [...new Set(operations.map((name) => (name.split(' ')[0] as string).toUpperCase()))]
const types = operations.flatMap((name) => /^get_rows (\w+)$/.exec(name)?.[1] ?? [])

let scene: Scene | undefined
afterEach(() => scene?.[Symbol.dispose]())

function tried(script: string): Promise<BackendInfo> {
  scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu })
  return scene.info({ WHISPER_HIP_FAKE: script })
}

const failedOf = (info: BackendInfo) =>
  (info.probe?.stages ?? []).filter(({ ok }) => !ok).map(({ name }) => name)

describe('wrong numbers', () => {
  it.each([
    ...kinds.map((kind) => [kind, kind.toLowerCase()] as const),
    ...types.map((type) => [`MUL_MAT/${type}`, `mul_mat ${type}`] as const),
    ...types.map((type) => [`GET_ROWS/${type}`, `get_rows ${type}`] as const),
  ])('of %s: NUMERIC_MISMATCH', async (operation, stage) => {
    const info = await tried(`wrong=${operation}`)
    expect(info).toMatchObject({ active: 'cpu', reason: 'NUMERIC_MISMATCH' })
    expect(info.message).toMatch(new RegExp(`in the stage "${stage}\\b.*": wrong numbers`))
    expect(info.message).not.toMatch(/\n/)
    expect(info.message.length).toBeLessThan(500)
    expect(info.advice.length).toBeGreaterThan(0)
    expect(info.probe?.exit).toBe('code 0')
    expect(() => assertGpu(info)).toThrow(/would not be used/)
  })

  /** A sum that is wrong is one in the product that a GPU computes together with it, too. */
  const follows = (name: string) => name === 'add' || / of one column$/.test(name)

  it.each([0, 1])('strike the operation and no other (half %i of them)', async (half) => {
    const wrong = operations.filter((_, i) => i % 2 === half)
    const failed = failedOf(await tried(`wrong=${wrong.join(',')}`))
    expect(wrong.filter((name) => !failed.includes(name))).toEqual([])
    expect(failed.filter((name) => !wrong.includes(name) && !follows(name))).toEqual([])
  })

  it.each([
    ['0.05', '5 % too much'],
    ['-1', 'zero'],
    ['-2', 'the wrong sign'],
    ['nan', 'not numbers'],
    ['last', 'wrong at the end alone'],
  ])('are seen in each operation that is %s: %s', async (how) => {
    const failed = failedOf(await tried(`wrong=${operations.map((name) => `${name}:${how}`).join(',')}`))
    expect(operations.filter((name) => !failed.includes(name))).toEqual([])
  })

  it('are seen in each operation that does nothing', async () => {
    const failed = failedOf(await tried(`idle=${operations.join(',')}`))
    expect(operations.filter((name) => !failed.includes(name))).toEqual([])
  })
})

describe('an operation that is not offered', () => {
  it('is told of each', async () => {
    const info = await tried(`unsupported=${operations.join(',')}`)
    expect(info).toMatchObject({ active: 'hip', reason: 'OPS_ON_CPU' })
    const lacking = info.probe?.stages.filter(({ unsupported }) => unsupported).map(({ name }) => name)
    expect(lacking).toEqual(operations)
  })

  it('does not count for a model that has no weights of its type', async () => {
    scene = new Scene({
      WHISPER_HIP_LIBRARY: fakeGpu,
      WHISPER_HIP_FAKE: 'unsupported=MUL_MAT/q8_0,GET_ROWS/q4_K',
    })
    const other = scene.path('q8_0.bin')
    writeFileSync(other, buildGgml({ layers: 1, audioContext: 64, type: GgmlType.Q8_0 }))
    const options = { backend: 'hip', allowPartial: true }
    const observation = await scene.observe([
      ['load', scene.model, options],
      ['transcribe', null, GREEDY],
      ['load', other, options],
      ['transcribe', null, { ...GREEDY, maxTokens: 3 }],
    ])
    expect(backendOf(observation)).toMatchObject({ active: 'hip', reason: 'OK' })
    expect(runOf(observation).stats.cpuNodes).toBe(0)
    expect(backendOf(observation, 1)).toMatchObject({
      active: 'hip',
      reason: 'OPS_ON_CPU',
      message: expect.stringMatching(/does not support mul_mat q8_0 of one column/),
    })
    expect(backendOf(observation, 1).message).not.toMatch(/q4_K/)
    expect(runOf(observation, 1).stats.cpuOperations).toEqual(['MUL_MAT'])
  })
})

describe('a trial that is passed', () => {
  it('has computed all of them', async () => {
    const info = await tried('')
    expect(info).toMatchObject({ active: 'hip', reason: 'OK' })
    const stages = info.probe?.stages ?? []
    const computed = stages.filter(({ error }) => error !== undefined)
    expect(computed.map(({ name }) => name)).toEqual(operations)
    expect(Math.max(...computed.map(({ error }) => error ?? Number.NaN))).toBeLessThan(1e-4)
  })
})
