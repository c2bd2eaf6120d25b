import { WhisperHipError } from '../errors.ts'
import type { JobEvents, Request } from './protocol.ts'

/** A job that a process has, until it ends. */
export interface PendingJob {
  doing: string
  events: JobEvents
  killsBefore: number
  /** Whether the process knows of it. */
  sent: boolean
  timer?: NodeJS.Timeout
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** What a process does, as the end of a sentence about its death. */
export const doing: Readonly<Record<Request['type'], string>> = {
  ping: 'while it was idle',
  decide: 'while it looked for a GPU',
  load: 'while it loaded the model',
  transcribe: 'while it transcribed',
  hypothesize: 'while it transcribed live audio',
  detectLanguage: 'while it detected a language',
}

export function cancelled(): Error {
  return Object.assign(new Error('The job was cancelled'), { code: 'ERR_CANCELLED' })
}

export function disposed(name: string): WhisperHipError {
  return new WhisperHipError('ERR_DISPOSED', `The model ${name} has been disposed`)
}
