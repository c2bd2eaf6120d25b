import type { BackendReason } from './types.ts'

/** Something that looks like success and is not what was hoped for. */
export interface Warning {
  reason: BackendReason
  /** One sentence, without a full stop. */
  text: string
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

/** One line: a warning is read in the middle of other output. What to do is long, and depends on more than one reason. */
function emit({ text }: Warning): void {
  const sentence = text.trim().replace(/\s*[\r\n]+\s*/g, ' ')
  const end = /[.!?…]$/.test(sentence) ? '' : '.'
  process.emitWarning(`${sentence}${end} Run \`npx whisper-hip doctor\` for what to do.`, {
    type: 'WhisperHipWarning',
    code: 'WHISPER_HIP_CPU',
  })
}
