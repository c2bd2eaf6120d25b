import type { LoadProgress } from '../index.ts'
import type { Progress } from './progress.ts'

/** Shows how far the trial of the GPU, the download and the loading of a model are. */
export function showLoading(progress: Progress, model: string): (step: LoadProgress) => void {
  return ({ stage, progress: fraction, gpu, step, receivedBytes = 0, totalBytes }) => {
    if (stage === 'trial') {
      // Each step is shown, however soon it comes: it may be the one that hangs.
      progress.clear()
      if (fraction < 1) progress.show(`Trying ${gpu}`, null, step)
    } else if (stage === 'load') progress.show(`Loading ${model}`, fraction)
    else progress.show(`Downloading ${model}`, totalBytes ? fraction : null, megabytes(receivedBytes))
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
