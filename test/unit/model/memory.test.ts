import { describe, expect, it } from 'vitest'
import {
  bufferBytes,
  type DecoderPass,
  decoderBytes,
  type MemoryQuestion,
  memoryOf,
} from '../../../lib/model/memory.ts'
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
  windows: 1,
  flashAttention: true,
}

const prompt = (tokens: number, windows = 1): DecoderPass => {
  return { windows, sequences: 1, tokens, keys: 256, logits: 2 }
}
const step = (beams: number, keys: number, windows = 1): DecoderPass => {
  return { windows, sequences: beams, tokens: 1, keys, logits: beams }
}

// As the engine allocated it for the published weights on the CPU backend, in bytes.
const measured = [
  {
    name: 'tiny.en',
    hyperparameters: tiny,
    weights: 77_110_272,
    caches: { window: 9_240_576, sequence: 2_752_512 },
    encoder: { fused: 16_128_000, plain: 63_216_000 },
    fused: [
      [prompt(225), 2_192_512],
      [prompt(225, 2), 4_384_896],
      [step(1, 256), 210_528],
      [step(5, 256), 1_052_640],
      [step(5, 256, 2), 2_105_280],
      [step(1, 288, 3), 631_584],
      [step(2, 32, 3), 1_263_168],
    ],
    plain: [
      [prompt(225), 10_407_712],
      [prompt(225, 2), 11_563_296],
      [step(5, 256), 2_189_440],
    ],
  },
  {
    name: 'base',
    hyperparameters: base,
    weights: 147_366_912,
    caches: { window: 18_481_152, sequence: 5_505_024 },
    encoder: { fused: 21_504_000, plain: 84_288_000 },
    fused: [
      [prompt(227), 2_909_312],
      [step(1, 256), 211_584],
      [step(5, 256), 1_057_792],
    ],
    plain: [
      [prompt(227), 13_946_624],
      [step(1, 352), 1_914_656],
      [step(5, 256), 2_919_040],
    ],
  },
] as const

describe.each(measured)('the memory of $name', ({ hyperparameters, weights, caches, encoder, ...passes }) => {
  const estimate = memoryOf({ ...question, hyperparameters })

  it('is that of its weights', () => {
    expect(estimate.weights).toBe(weights)
  })

  it('is that of its caches', () => {
    expect(estimate.caches).toEqual(caches)
  })

  it.each(['fused', 'plain'] as const)('is that of its buffers with %s attention', (attention) => {
    const flashAttention = attention === 'fused'
    expect(bufferBytes({ ...question, hyperparameters, flashAttention }, 1).encoder).toBe(encoder[attention])
    for (const [pass, bytes] of passes[attention])
      expect(decoderBytes({ hyperparameters, flashAttention }, pass)).toBe(bytes)
  })
})

describe('memory', () => {
  const five = memoryOf({ ...question, beams: 5 })
  const { window, sequence } = five.caches

  it('has a sequence for each beam', () => {
    expect(memoryOf(question).perState).toBe(window + sequence)
    expect(five.perState).toBe(window + 5 * sequence)
    expect(five.total).toBe(five.weights + five.buffers + five.perState)
  })

  it('of several transcriptions has the weights and the buffers of the encoder once', () => {
    const { weights, buffers, perState, total } = memoryOf({ ...question, beams: 5, states: 3 })
    expect(weights).toBe(five.weights)
    expect(perState).toBe(five.perState)
    expect(total).toBe(weights + buffers + 3 * perState)
    expect(buffers).toBeGreaterThan(five.buffers)
    expect(buffers).toBeLessThan(1.6 * five.buffers)
  })

  it('of windows that are decoded together is that of as many transcriptions', () => {
    const batch = memoryOf({ ...question, beams: 5, windows: 3 })
    expect(batch.perState).toBe(3 * five.perState)
    expect(batch.total).toBe(memoryOf({ ...question, beams: 5, states: 3 }).total)
  })

  it('has no more windows and sequences than the engine works at', () => {
    const many = memoryOf({ ...question, states: 16, windows: 64 })
    expect(many.total).toBe(many.weights + many.buffers + 16 * (window + sequence))
    expect(many.perState).toBe(10 * (window + sequence))
    const wide = memoryOf({ ...question, beams: 32, windows: 64 })
    expect(wide.total).toBe(wide.weights + wide.buffers + 10 * window + 64 * sequence)
  })

  it('of quantised weights shrinks in the matrices alone', () => {
    const f16 = memoryOf(question)
    const q8 = memoryOf({ ...question, weightType: GgmlType.Q8_0 })
    expect(q8.perState).toBe(f16.perState)
    expect(q8.buffers).toBe(f16.buffers)
    // 34 bytes for 32 numbers, where f16 has 64; vectors and convolutions stay.
    const matrices = (f16.weights - q8.weights) / (1 - 34 / 64)
    expect(matrices).toBe(2 * (512 * 51865 + 6 * 12 * 512 ** 2 + 6 * 16 * 512 ** 2))
  })
})
