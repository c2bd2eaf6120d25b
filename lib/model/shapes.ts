import type { Hyperparameters } from './plan.ts'

/** State, layers of the encoder, layers of the decoder, vocabulary. */
type Shape = readonly [state: number, audioLayers: number, textLayers: number, vocabularySize: number]

/** The shapes that OpenAI and Distil-Whisper published, smallest first; the names are those of the catalogue. */
const SHAPES = {
  tiny: [384, 4, 4, 51_865],
  base: [512, 6, 6, 51_865],
  'distil-small.en': [768, 12, 4, 51_864],
  small: [768, 12, 12, 51_865],
  'distil-medium.en': [1024, 24, 2, 51_864],
  'distil-large-v3.5': [1280, 32, 2, 51_866],
  medium: [1024, 24, 24, 51_865],
  'large-v3-turbo': [1280, 32, 4, 51_866],
  'large-v3': [1280, 32, 32, 51_866],
} as const satisfies Record<string, Shape>

export type ShapeName = keyof typeof SHAPES
export const shapeNames = Object.keys(SHAPES) as ShapeName[]

export function shapeOf(name: ShapeName): Hyperparameters {
  const [state, audioLayers, textLayers, vocabularySize] = SHAPES[name]
  return {
    vocabularySize,
    audioContext: 1500,
    audioState: state,
    audioHeads: state / 64,
    audioLayers,
    textContext: 448,
    textState: state,
    textHeads: state / 64,
    textLayers,
    melBins: vocabularySize === 51_866 ? 128 : 80,
  }
}
