// Graphs that are given to a GPU have the operations of its trial. That they have all of them is seen on the CPU, by more models
// (test/native/trial.test.ts): caches of a GPU are padded, which makes other layouts of some.
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { addon } from '../../../lib/backend/addon.ts'
import { GRAPHS } from '../../native/graphs.ts'
import { fakeGpu } from '../build.mjs'
import { Scene } from '../scene.ts'

let scene: Scene
beforeAll(() => {
  scene = new Scene({})
  vi.stubEnv('WHISPER_HIP_LIBRARY', fakeGpu)
  vi.stubEnv('WHISPER_HIP_SYSROOT', scene.machine.folder)
  vi.stubEnv('WHISPER_HIP_CACHE', scene.path('cache'))
})
afterAll(() => {
  vi.unstubAllEnvs()
  scene[Symbol.dispose]()
})

const KINDS = Object.keys(GRAPHS).filter((kind) => !/weights in q/.test(kind))

it.each(KINDS)('the trial holds all operations of %s', async (kind) => {
  const { native } = addon()
  const held = native.trialOperations()
  const operations = (await GRAPHS[kind]?.({ backend: 'hip' })) ?? []
  expect(native.hipState().path).toBe(fakeGpu)
  expect(operations.length).toBeGreaterThan(20)
  expect(operations.filter((name) => !held.includes(name))).toEqual([])
})
