import { describe, expect, it } from 'vitest'
import { describeModel } from '../../../lib/model/parameters.ts'
import type { Hyperparameters } from '../../../lib/model/plan.ts'
import { requiredTensors } from '../../../lib/model/required-tensors.ts'

function shape(
  state: number,
  audioLayers: number,
  textLayers: number,
  vocabularySize: number,
): Hyperparameters {
  const heads = state / 64
  return {
    vocabularySize,
    audioContext: 1500,
    audioState: state,
    audioHeads: heads,
    audioLayers,
    textContext: 448,
    textState: state,
    textHeads: heads,
    textLayers,
    melBins: vocabularySize === 51866 ? 128 : 80,
  }
}

describe('the required tensors', () => {
  it.each([
    ['base', shape(512, 6, 6, 51865), 245],
    ['large', shape(1280, 32, 32, 51865), 1259],
  ])('of %s are as many as in whisper.cpp', (_, hyperparameters, count) => {
    const tensors = requiredTensors(hyperparameters)
    expect(tensors.length).toBe(count)
    expect(new Set(tensors.map(({ name }) => name)).size).toBe(count)
  })

  it('have shapes in the order of ggml', () => {
    const tensors = new Map(requiredTensors(shape(512, 6, 6, 51865)).map((tensor) => [tensor.name, tensor]))
    const shapeOf = (name: string) => tensors.get(name)?.shape
    expect(shapeOf('encoder.positional_embedding')).toEqual([512, 1500])
    expect(shapeOf('encoder.conv1.weight')).toEqual([3, 80, 512])
    expect(shapeOf('encoder.conv2.bias')).toEqual([1, 512])
    expect(shapeOf('decoder.token_embedding.weight')).toEqual([512, 51865])
    expect(shapeOf('decoder.blocks.5.mlp.0.weight')).toEqual([512, 2048])
    expect(shapeOf('decoder.blocks.5.mlp.2.weight')).toEqual([2048, 512])
    expect(shapeOf('decoder.blocks.0.cross_attn.key.weight')).toEqual([512, 512])
    expect(tensors.has('decoder.blocks.0.cross_attn.key.bias')).toBe(false)
    expect(tensors.has('encoder.blocks.0.cross_attn.key.weight')).toBe(false)
  })
})

describe('describeModel', () => {
  it.each([
    [shape(384, 4, 4, 51864), 'tiny.en', 37_760_256, 1],
    [shape(512, 6, 6, 51865), 'base', 72_593_920, 99],
    [shape(768, 12, 12, 51865), 'small', 241_734_912, 99],
    [shape(1024, 24, 24, 51864), 'medium.en', 763_856_896, 1],
    [shape(1280, 32, 32, 51865), 'large', 1_543_304_960, 99],
    [shape(1280, 32, 32, 51866), 'large-v3', 1_543_490_560, 100],
    [shape(1280, 32, 4, 51866), 'large-v3-turbo', 808_878_080, 100],
    [shape(1280, 32, 2, 51866), 'distil-large-v3', 756_405_760, 100],
    [shape(1280, 32, 2, 51865), 'distil-large-v2', 756_220_160, 99],
    [shape(64, 2, 2, 51864), 'custom', 3_705_088, 1],
  ])('of %j: %s', (hyperparameters, architecture, parameters, languages) => {
    const description = describeModel(hyperparameters)
    expect(description.architecture).toBe(architecture)
    expect(description.parameters).toBe(parameters)
    expect(description.multilingual).toBe(hyperparameters.vocabularySize !== 51864)
    expect(description.languages.length).toBe(languages)
    expect(description.languages[0]).toBe('en')
  })

  it('knows the languages in the order of their tokens', () => {
    const { languages } = describeModel(shape(1280, 32, 32, 51866))
    expect(languages[2]).toBe('de')
    expect(languages[20]).toBe('he')
    expect(languages.indexOf('haw')).toBe(93)
    expect(languages.at(-1)).toBe('yue')
    expect(new Set(languages).size).toBe(100)
  })
})
