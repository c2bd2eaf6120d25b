import type { BackendReason } from './backend/types.ts'

/** Something that looks like success and is not what was hoped for. */
export interface Warning {
  reason: BackendReason
  text: string
  advice: readonly string[]
}

const given = new Set<BackendReason>()
let deliver = emit

/** Warns once for each reason, loudly, where every Node process looks. */
export function warnOnce(warning: Warning): void {
  if (given.has(warning.reason)) return
  given.add(warning.reason)
  deliver(warning)
}

/** Gives the warnings of this process to another one. */
export function redirectWarnings(to: (warning: Warning) => void): void {
  deliver = to
}

function emit({ text, advice }: Warning): void {
  process.emitWarning(text, {
    type: 'WhisperHipWarning',
    code: 'WHISPER_HIP_CPU',
    detail: advice.map((line) => `- ${line}`).join('\n'),
  })
}
