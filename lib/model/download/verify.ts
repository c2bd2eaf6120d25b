import { stat } from 'node:fs/promises'
import { closePlan, readModel } from '../formats/index.ts'
import type { ModelFormat } from '../plan.ts'
import { openFileSource } from '../sources.ts'

/**
 * Reads what was downloaded as far as a load would, but for the weights: what is in the cache is never fetched again, so nothing else may get
 * there.
 *
 * @param path a file or a folder
 * @param name what messages call a file, where that is not its path
 * @returns its format
 * @throws as {@link readModel}
 */
export async function requireModel(path: string, name?: string): Promise<ModelFormat> {
  const isFolder = (await stat(path)).isDirectory()
  const plan = await readModel(isFolder ? path : await openFileSource(path, name))
  await closePlan(plan)
  return plan.format
}
