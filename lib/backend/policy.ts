import { WhisperHipError } from '../errors.ts'
import { addon } from './addon.ts'
import { type DecideOptions, type Decision, decide, type GpuChoice } from './decision.ts'
import { startGpu } from './start-gpu.ts'
import { distrustAfter } from './trust.ts'
import type { BackendReason } from './types.ts'
import { warnOnce } from './warn.ts'

/** What a model is to run on. */
export interface Choice {
  active: 'hip' | 'cpu'
  reason: BackendReason
  message: string
  /** Place of the GPU among those that HIP shows; 0 on the CPU. */
  ordinal: number
  /** Whether the GPU does all of the work of a model with weights of this type; absent on the CPU. */
  answerFor?: GpuChoice['answerFor']
}

type Policy = 'auto' | 'hip' | 'cpu'
type Refusal = Pick<Decision, 'reason' | 'message' | 'advice'>

/**
 * What a model that is loaded with this policy runs on. Starts HIP when that is the GPU.
 * @param device the GPU that was asked for
 * @throws {@link WhisperHipError} `ERR_BACKEND_UNAVAILABLE` when the GPU is required and cannot be used; `signal.reason`
 */
export async function applyPolicy(
  policy: Policy,
  device?: number | string,
  waiting: Pick<DecideOptions, 'onTrial' | 'signal' | 'nodePath'> = {},
): Promise<Choice> {
  if (policy === 'cpu')
    return { active: 'cpu', reason: 'GPU_DISABLED_BY_OPTION', message: 'The CPU was asked for', ordinal: 0 }
  const loaded = addon()
  const { gpu, reason, message, advice } = await decide(loaded, { device, ...waiting })
  waiting.signal?.throwIfAborted()
  if (gpu === null) return onCpu(policy, { reason, message, advice })
  try {
    const ordinal = await startGpu(loaded, gpu)
    return { active: 'hip', reason, message, ordinal, answerFor: gpu.answerFor }
  } catch (error) {
    distrustAfter(error)
    return onCpu(policy, refusalOf(error))
  }
}

/** The choice, of a model of which the type of its weights is known: what the GPU lacks for others does not count. */
export function forWeights(choice: Choice, weightType: string): Choice {
  const { answerFor } = choice
  if (answerFor === undefined) return choice
  const { reason, message } = answerFor(weightType)
  return { ...choice, reason, message }
}

/**
 * The way out when the GPU turns out to be of no use for a model.
 * @throws the error, when the GPU is required, or when it is not about the GPU
 */
export function withoutGpu(policy: Policy, error: unknown): Choice {
  if (policy === 'hip') throw error
  return onCpu(policy, refusalOf(error))
}

function onCpu(policy: Policy, refusal: Refusal): Choice {
  const { reason, message, advice } = refusal
  if (policy === 'hip') {
    throw new WhisperHipError('ERR_BACKEND_UNAVAILABLE', `The GPU cannot be used: ${message}`, {
      reason,
      advice,
    })
  }
  warnOnce({ reason, text: `whisper-hip runs on the CPU (${reason}): ${message}` })
  return { active: 'cpu', reason, message, ordinal: 0 }
}

function refusalOf(error: unknown): Refusal {
  if (!(error instanceof WhisperHipError) || error.reason === undefined) throw error
  return { reason: error.reason as BackendReason, message: error.message, advice: error.advice }
}

/** A run on the GPU that needed the CPU for a part. */
export function warnOfPartialRun(operations: readonly string[]): void {
  warnOnce({
    reason: 'OPS_ON_CPU',
    text: `whisper-hip ran a part of the model on the CPU (OPS_ON_CPU): ${operations.join(', ')}`,
  })
}
