import { findModel } from './catalogue.ts'
import { companionFolder } from './companions.ts'
import { type GenerationAdvice, readGeneration } from './generation.ts'
import { describeModel } from './parameters.ts'
import type { LoadPlan } from './plan.ts'

/** What a model was trained for: its vocabulary has tokens for more. */
export interface Abilities {
  /** `unlikely`: by its shape, of which there may be others. */
  translates: 'yes' | 'no' | 'unlikely'
  /** ISO codes of the languages that it was trained for. */
  languages: readonly string[]
  /** Whether it looks like a model that was distilled for one language, most likely English. */
  isDistilled: boolean
}

/** Catalogue names of models with the token to translate that were not trained for it. */
const WITHOUT_TRANSLATION: readonly string[] = ['large-v3-turbo']

/**
 * What a model can do, as the catalogue or its own configuration says it, else as its shape suggests it: few layers of the decoder for many of
 * the encoder are those of turbo, which was not trained to translate, and of Distil-Whisper, which was trained for English alone.
 *
 * @param name under which the model was asked for
 */
export async function abilitiesOf(plan: LoadPlan, name: string): Promise<Abilities> {
  const { languages, multilingual } = describeModel(plan.hyperparameters)
  if (!multilingual) return { translates: 'no', languages, isDistilled: false }
  const known = findModel(name)
  const stated = await statedAbilities(plan)
  const english = known?.multilingual === false || stated.isMultilingual === false
  const { audioLayers, textLayers } = plan.hyperparameters
  const isCut = 3 * textLayers <= audioLayers
  const cannot = english || WITHOUT_TRANSLATION.includes(known?.name ?? '') || stated.translates === false
  return {
    translates: cannot ? 'no' : isCut ? 'unlikely' : 'yes',
    languages: english ? ['en'] : languages.filter((code) => stated.languages?.includes(code) ?? true),
    isDistilled: !english && known === undefined && textLayers <= 2 && isCut,
  }
}

async function statedAbilities(plan: LoadPlan): Promise<GenerationAdvice> {
  if (plan.format === 'ggml') return {}
  const file = plan.sources[0]?.name
  return file === undefined || !('fd' in (plan.sources[0]?.native ?? {}))
    ? {}
    : await readGeneration(await companionFolder(file))
}
