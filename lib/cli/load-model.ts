import { type LoadOptions, loadModel, type Model } from '../index.ts'
import { type Flags, toUsage } from './flags.ts'
import { showLoading } from './load-progress.ts'
import type { Progress } from './progress.ts'

/**
 * Loads a model for a command, with progress on the terminal.
 * @param flags of the command, for messages about wrong values
 */
export async function loadShown(
  input: string,
  options: LoadOptions,
  { progress, signal, flags }: { progress: Progress; signal: AbortSignal; flags: Flags<string> },
): Promise<Model> {
  try {
    return await loadModel(input, { ...options, signal, onProgress: showLoading(progress, input) })
  } catch (error) {
    throw toUsage(error, flags)
  } finally {
    progress.clear()
  }
}
