import type { BackendInfo } from '../backend/types.ts'
import { invalidArgument } from '../check.ts'
import { WhisperHipError } from '../errors.ts'
import type { TranscriptionResult } from './types.ts'

/**
 * Throws unless the GPU will do, or did, all the work. For CI and health checks.
 * @param subject what {@link backendInfo} resolved to, or the result of a transcription, for which every node of the encoder and decoder
 *   graphs must have run on the GPU
 * @throws {@link WhisperHipError} `ERR_GPU_NOT_USED` with reason and advice
 */
export function assertGpu(subject: BackendInfo | TranscriptionResult): void {
  if (typeof subject !== 'object' || subject === null || !('stats' in subject || 'active' in subject)) {
    throw invalidArgument('what backendInfo() or transcribe() gave', 'subject', subject)
  }
  if ('stats' in subject) {
    assertRun(subject)
    return
  }
  if (subject.active === 'hip' && subject.reason === 'OK') return
  const what = subject.active === 'hip' ? 'would not do all of the work' : 'would not be used'
  throw new WhisperHipError('ERR_GPU_NOT_USED', `The GPU ${what}: ${subject.message}`, {
    reason: subject.reason,
    advice: subject.advice,
  })
}

function assertRun({ stats }: TranscriptionResult): void {
  if (stats.gpuNodes > 0 && stats.cpuNodes === 0) return
  const nothing = stats.gpuNodes + stats.cpuNodes === 0
  throw new WhisperHipError(
    'ERR_GPU_NOT_USED',
    nothing
      ? 'The transcription computed nothing: the audio is empty or too short'
      : `The transcription ran ${stats.cpuNodes} of ${stats.cpuNodes + stats.gpuNodes} graph nodes on the CPU (${stats.cpuOperations.join(', ')})`,
    {
      reason: nothing ? 'NO_GPU_WORK_DONE' : stats.gpuNodes > 0 ? 'OPS_ON_CPU' : 'MODEL_NOT_ON_GPU',
      advice: [
        'Ask backendInfo() why, or load the model with { backend: "hip" }, which never runs on the CPU',
      ],
    },
  )
}
