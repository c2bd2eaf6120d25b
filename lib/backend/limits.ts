import type { BackendNote } from './types.ts'

/** How long things may take, in seconds. */
export interface Limits {
  /** The trial of a GPU as a whole; one stage of it may take half. */
  trialSeconds: number
  /** What was set and is not used. */
  notes: readonly BackendNote[]
}

/** Variables that set a limit in seconds, and their defaults. The watch over the GPU reads its own in binding/backend/. */
const DEFAULTS = { WHISPER_HIP_TRIAL_SECONDS: 60, WHISPER_HIP_WATCH_SECONDS: 30 } as const
const LARGEST = 86_400

/** The limits as the environment sets them. A variable that is set to nothing is not set. */
export function readLimits(environment: NodeJS.ProcessEnv): Limits {
  const notes: BackendNote[] = []
  const seconds = (name: keyof typeof DEFAULTS): number => {
    const text = environment[name]?.trim() ?? ''
    if (text === '') return DEFAULTS[name]
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
    if (value >= 1 && value <= LARGEST) return value
    notes.push({
      reason: 'UNKNOWN',
      message: `${name}=${JSON.stringify(text)} is not a number of seconds from 1 to ${LARGEST}: ${DEFAULTS[name]} is used`,
      advice: [`Set ${name} to a number from 1 to ${LARGEST}, or unset it`],
    })
    return DEFAULTS[name]
  }
  const trialSeconds = seconds('WHISPER_HIP_TRIAL_SECONDS')
  seconds('WHISPER_HIP_WATCH_SECONDS')
  return { trialSeconds, notes }
}
