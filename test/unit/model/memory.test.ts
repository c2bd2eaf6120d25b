import { describe, expect, it } from 'vitest'
import { type MemoryQuestion, memoryOf } from '../../../lib/model/memory.ts'
import { GgmlType, type Hyperparameters } from '../../../lib/model/plan.ts'

function shape(
  state: number,
  layers: [audio: number, text: number],
  vocabularySize: number,
): Hyperparameters {
  return {
    vocabularySize,
    audioContext: 1500,
    audioState: state,
    audioHeads: state / 64,
    audioLayers: layers[0],
    textContext: 448,
    textState: state,
    textHeads: state / 64,
    textLayers: layers[1],
    melBins: vocabularySize === 51866 ? 128 : 80,
  }
}

const tiny = shape(384, [4, 4], 51864)
const base = shape(512, [6, 6], 51865)
const question: MemoryQuestion = {
  hyperparameters: base,
  weightType: GgmlType.F16,
  beams: 1,
  states: 1,
  flashAttention: true,
}

/** What whisper.cpp prints beside a buffer, in MB: descriptions of its graph. */
const description = 1.59

// As the library reported them for the published weights, on the CPU backend; the rest as whisper.cpp printed it, in MB.
describe.each([
  ['tiny.en', tiny, 77_110_272, [3.15, 9.44, 2.36], [13.21, 17.72, 3.89, 95.91]],
  ['base', base, 147_366_912, [6.29, 18.87, 3.15], [16.28, 23.09, 4.66, 96.37]],
] as const)('the memory of %s', (_, hyperparameters, weights, caches, buffers) => {
  const estimate = memoryOf({ ...question, hyperparameters })

  it('is that of its weights', () => {
    expect(estimate.weights).toBe(weights)
  })

  it('is that of its caches', () => {
    const { selfAttention, crossAttention, padding } = estimate.caches
    expect([selfAttention, crossAttention, padding].map((bytes) => (bytes / 1e6).toFixed(2))).toEqual(
      caches.map((megabytes) => megabytes.toFixed(2)),
    )
  })

  it('is that of its buffers', () => {
    const { convolution, encoder, crossAttention, decoder } = estimate.buffers
    for (const [i, bytes] of [convolution, encoder, crossAttention, decoder].entries())
      expect(Math.abs(bytes / 1e6 + description - (buffers[i] as number))).toBeLessThan(0.015)
  })
})

describe('memory', () => {
  it('without fused attention has room for all scores', () => {
    const { encoder } = memoryOf({ ...question, hyperparameters: tiny, flashAttention: false }).buffers
    expect(Math.abs(encoder / 1e6 + description - 64.81)).toBeLessThan(0.015)
  })

  it('of several beams has two spare sequences', () => {
    const one = memoryOf(question)
    const five = memoryOf({ ...question, beams: 5 })
    expect(five.caches).toEqual({ ...one.caches, selfAttention: 7 * one.caches.selfAttention })
    expect(five.buffers).toEqual(one.buffers)
  })

  it('of several transcriptions has the weights once', () => {
    const { weights, perState, total } = memoryOf({ ...question, states: 3 })
    expect(total).toBe(weights + 3 * perState)
    expect(weights).toBe(147_366_912)
  })

  it('of quantised weights shrinks in the matrices alone', () => {
    const f16 = memoryOf(question)
    const q8 = memoryOf({ ...question, weightType: GgmlType.Q8_0 })
    expect(q8.perState).toBe(f16.perState)
    // 34 bytes for 32 numbers, where f16 has 64; vectors and convolutions stay.
    const matrices = (f16.weights - q8.weights) / (1 - 34 / 64)
    expect(matrices).toBe(2 * (512 * 51865 + 6 * 12 * 512 ** 2 + 6 * 16 * 512 ** 2))
  })
})
