import { companionFolder } from './companions.ts'
import { readGeneration } from './generation.ts'
import type { LoadPlan } from './plan.ts'

/**
 * The heads of the decoder whose attention follows the audio, as the model or the files beside it name them: pairs of layer and head. Empty
 * when nobody says; a list that does not fit the model is left out, with a note in the conversions of the plan: fine-tuned models often carry
 * the list of another size.
 */
export async function alignmentHeadsOf(plan: LoadPlan): Promise<number[]> {
  const heads = plan.labels?.advice.alignmentHeads ?? (await readBeside(plan))
  const { textLayers, textHeads } = plan.hyperparameters
  const fits = heads.every((value, i) => value >= 0 && value < (i % 2 === 0 ? textLayers : textHeads))
  if (fits && heads.length % 2 === 0) return heads
  plan.conversions.push('alignment heads of another model left out')
  return []
}

/** Checkpoint folders have the list in a file of its own. */
async function readBeside({ format, sources: [first] }: LoadPlan): Promise<number[]> {
  if (format === 'ggml' || format === 'gguf' || first === undefined || !('fd' in first.native)) return []
  return (await readGeneration(await companionFolder(first.name))).alignmentHeads ?? []
}
