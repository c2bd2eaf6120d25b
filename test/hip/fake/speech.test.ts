// Real weights on a GPU that computes on the CPU.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadModel } from '../../../lib/index.ts'
import { locateModel } from '../../../lib/model/locate.ts'
import { material } from '../../fixtures/material.ts'
import { fakeGpu } from '../build.mjs'
import { errorOf, runOf, Scene } from '../scene.ts'

let scene: Scene
let base: string
let jfk: string
let text: string

beforeAll(async () => {
  scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu })
  const { input } = await locateModel('base', {})
  base = input as string
  jfk = await material('jfk.wav')
  const model = await loadModel(base, { backend: 'cpu' })
  text = (await model.transcribe(jfk, { language: 'en' })).text
  await model.dispose()
})
afterAll(() => scene?.[Symbol.dispose]())

it('transcribes JFK with every node on the GPU, and the same text as the CPU', async () => {
  const observation = await scene.observe([
    ['load', base, { backend: 'hip' }],
    ['transcribe', jfk, { language: 'en' }],
    ['assert'],
  ])
  const run = runOf(observation)
  expect(run.text).toBe(text)
  expect(run.stats).toMatchObject({ backend: 'hip', cpuNodes: 0, cpuOperations: [] })
  expect(run.stats.gpuNodes).toBeGreaterThan(1000)
  expect(observation.came[2]?.error).toBeUndefined()
  expect(observation.warnings).toEqual([])
})

it('names the one operation that the GPU does not support', async () => {
  const observation = await scene.observe(
    [['load', base], ['transcribe', jfk, { language: 'en', beamSize: 1 }], ['assert']],
    { WHISPER_HIP_FAKE: 'unsupported=GELU' },
  )
  const run = runOf(observation)
  // Greedy and by other kernels a comma may come or go.
  const words = (said: string) => said.toLowerCase().match(/[a-z]+/g)
  expect(words(run.text)).toEqual(words(text))
  expect(run.stats.cpuOperations).toEqual(['GELU'])
  expect(run.stats.gpuNodes).toBeGreaterThan(run.stats.cpuNodes)
  expect(errorOf(observation, 'assert')).toMatchObject({ code: 'ERR_GPU_NOT_USED', reason: 'OPS_ON_CPU' })
})
