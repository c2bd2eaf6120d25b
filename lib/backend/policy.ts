import { WhisperHipError } from '../errors.ts'
import { addon } from './addon.ts'
import { type Decision, decide } from './info.ts'
import type { BackendReason } from './types.ts'

let warned = false

/**
 * What a model that is loaded with this policy runs on.
 * @param device the GPU that was asked for
 * @throws {@link WhisperHipError} `ERR_BACKEND_UNAVAILABLE` when the GPU is required and cannot be used
 */
export async function applyPolicy(
  policy: 'auto' | 'hip' | 'cpu',
  device?: number | string,
): Promise<Decision> {
  if (policy === 'cpu') {
    const reason: BackendReason = 'GPU_DISABLED_BY_OPTION'
    return { active: 'cpu', reason, message: 'The CPU was asked for', advice: [] }
  }
  const decision = await decide(addon(), device)
  if (decision.active === 'cpu' && policy === 'hip') {
    throw new WhisperHipError(
      'ERR_BACKEND_UNAVAILABLE',
      `The GPU cannot be used: ${decision.message}`,
      decision,
    )
  }
  if (decision.active === 'cpu') warnOnce(decision)
  return decision
}

/** Running on the CPU is slow and looks like success: it is said once, loudly, where every Node process looks. */
function warnOnce({ message, reason, advice }: Decision): void {
  if (warned) return
  warned = true
  process.emitWarning(`whisper-hip runs on the CPU (${reason}): ${message}`, {
    type: 'WhisperHipWarning',
    code: 'WHISPER_HIP_CPU',
    detail: advice.map((line) => `- ${line}`).join('\n'),
  })
}
