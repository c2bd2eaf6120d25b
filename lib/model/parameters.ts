import { languageTokens } from './languages.ts'
import type { Hyperparameters } from './plan.ts'
import { requiredTensors } from './required-tensors.ts'

/** What the shape of a model says about it. */
export interface ModelDescription {
  /** e.g. `base`, `tiny.en`, `large-v3-turbo`, `distil-large-v3`; `custom` for a shape that OpenAI and distil never published. */
  architecture: string
  /** Number of weights. */
  parameters: number
  multilingual: boolean
  /** ISO codes in Whisper's order. */
  languages: string[]
}

/** By audio state, audio layers and text layers. Large versions 1 and 2 have the same shape. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  '384 4 4': 'tiny',
  '512 6 6': 'base',
  '768 12 12': 'small',
  '1024 24 24': 'medium',
  '1280 32 32': 'large',
  '1280 32 4': 'large-v3-turbo',
  '768 12 4': 'distil-small',
  '1024 24 2': 'distil-medium',
  '1280 32 2': 'distil-large',
}

export function describeModel(hyperparameters: Hyperparameters): ModelDescription {
  const { vocabularySize } = hyperparameters
  const multilingual = vocabularySize !== 51864
  const elements = requiredTensors(hyperparameters).map(({ shape }) =>
    shape.reduce((product, size) => product * size, 1),
  )
  return {
    architecture: architectureOf(hyperparameters),
    parameters: elements.reduce((sum, count) => sum + count, 0),
    multilingual,
    languages: multilingual ? [...languageTokens(vocabularySize)] : ['en'],
  }
}

function architectureOf({ audioState, audioLayers, textLayers, vocabularySize }: Hyperparameters): string {
  const name = ARCHITECTURES[`${audioState} ${audioLayers} ${textLayers}`]
  if (name === undefined) return 'custom'
  if (vocabularySize === 51864) return `${name}.en`
  if (name === 'large') return vocabularySize === 51866 ? 'large-v3' : 'large'
  if (name === 'distil-large') return vocabularySize === 51866 ? 'distil-large-v3' : 'distil-large-v2'
  return name
}
