import { WhisperHipError } from '../errors.ts'
import { isError } from '../kinds.ts'
import type { Warning } from '../warnings.ts'
import { asFlags } from './as-flags.ts'
import { neutral } from './listen/neutral.ts'

/** The command line is wrong in a way that the parser cannot tell. */
export class UsageError extends Error {
  readonly advice: readonly string[]

  constructor(message: string, advice: readonly string[] = []) {
    super(message)
    this.advice = advice
  }
}

/**
 * Says on stderr what went wrong and what to do.
 * @returns the exit code: 2 for wrong usage, else 1
 */
export function tellError(error: unknown): 1 | 2 {
  if (error instanceof UsageError) {
    tell(error.message, error.advice)
    return 2
  }
  if (error instanceof WhisperHipError) {
    const codes = error.reason === undefined ? error.code : `${error.code}, ${error.reason}`
    tell(`${error.message} (${codes})`, error.advice)
    return error.code === 'ERR_INVALID_ARGUMENT' ? 2 : 1
  }
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  // What the system answers about a file explains itself; anything else is a defect, and its place matters.
  const known = isError(error) && (typeof code === 'string' || error.constructor === Error)
  tell(isError(error) ? ((known ? error.message : error.stack) ?? error.message) : String(error))
  return 1
}

/** Warnings in the form of all other messages: the message alone, without the name and code that Node puts before it. */
export function tellWarnings(): void {
  // None: the user has switched them off, by NODE_NO_WARNINGS or --no-warnings.
  if (process.listenerCount('warning') === 0) return
  process.removeAllListeners('warning')
  process.on('warning', ({ message }) => tell(message.replace(/^whisper-hip /, '')))
}

/**
 * A warning about a recording, on one line.
 * @param about the recording, as the user has named it
 */
export function tellWarning({ code, message }: Warning, about: string): void {
  tell(`warning: ${neutral(`${about}: ${message}`)} (${code})`)
}

/** A message with a line for each piece of advice. */
export function tell(message: string, advice: readonly string[] = []): void {
  const lines = [`whisper-hip: ${message}`, ...advice.filter(Boolean).map((line) => `  - ${asFlags(line)}`)]
  process.stderr.write(`${lines.join('\n')}\n`)
}
