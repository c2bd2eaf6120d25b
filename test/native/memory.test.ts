import { afterAll, describe, expect, it } from 'vitest'
import { setLogger } from '../../lib/index.ts'
import { memoryOf } from '../../lib/model/memory.ts'
import { GgmlType } from '../../lib/model/plan.ts'
import { buildSpeaking } from '../fixtures/speaking-model.ts'
import { type TinyOptions, tinyHyperparameters } from '../fixtures/tiny-model.ts'
import { greedy, withModel } from './support.ts'

afterAll(() => setLogger(null))

/** What whisper.cpp prints beside a buffer: descriptions of its graph, in the memory of the host. */
const description = 1.59

const script = [{ text: ' Hi.', start: 0, end: 1 }]
const shapes: [name: string, shape: TinyOptions, flashAttention: boolean][] = [
  ['of tiny, with two layers', { state: 384, heads: 6, layers: 2 }, true],
  ['without fused attention', { state: 384, heads: 6, layers: 1 }, false],
  ['wider and multilingual', { state: 512, heads: 8, layers: 1, multilingual: true }, true],
  ['with short contexts', { state: 384, heads: 6, layers: 1, audioContext: 700, textContext: 224 }, true],
]

describe('the memory of a model', () => {
  it.each(shapes)('%s is what whisper.cpp allocates', async (_, shape, flashAttention) => {
    const sizes = new Map<string, number>()
    setLogger(({ message }) => {
      const [, name, megabytes] =
        /(kv \w+|compute buffer \(\w+\)) +size? *= +([\d.]+) MB/.exec(message.replace(/\) +=/, ') size =')) ??
        []
      if (name !== undefined) sizes.set(name, Number(megabytes))
    })
    const estimate = memoryOf({
      hyperparameters: tinyHyperparameters(shape),
      weightType: GgmlType.F16,
      beams: 1,
      states: 1,
      flashAttention,
    })
    const hum = Float32Array.from({ length: 16_000 }, (_, i) => 0.3 * Math.sin(i / 7))
    await withModel(
      buildSpeaking({ ...shape, script }),
      async (model) => {
        await model.transcribe(hum, { ...greedy, maxTokens: 8 })
        expect(model.info.memoryBytes).toBe(estimate.weights)
      },
      { flashAttention },
    )
    const { caches, buffers } = estimate
    const expected = {
      'kv self': caches.selfAttention / 1e6,
      'kv cross': caches.crossAttention / 1e6,
      'kv pad': caches.padding / 1e6,
      'compute buffer (conv)': buffers.convolution / 1e6 + description,
      'compute buffer (encode)': buffers.encoder / 1e6 + description,
      'compute buffer (cross)': buffers.crossAttention / 1e6 + description,
      'compute buffer (decode)': buffers.decoder / 1e6 + description,
    }
    expect([...sizes.keys()]).toEqual(Object.keys(expected))
    for (const [name, megabytes] of Object.entries(expected))
      expect(Math.abs((sizes.get(name) ?? 0) - megabytes), name).toBeLessThan(0.015)
  })
})
