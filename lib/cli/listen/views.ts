import type { StreamEvent } from '../../stream/types.ts'
import { neutral, neutralJson } from './neutral.ts'

/** Turns events into what is to be written on standard output. */
export interface View {
  /** What an event adds; often nothing. */
  show(event: StreamEvent): string
  /** Takes away what is not there to stay, so that something else can be written. */
  clear(): string
  /** Writes that anew, after the window has changed. */
  redraw(): string
}

const still = { clear: () => '', redraw: () => '' }

/** A line of text for each utterance. */
export const plainView: View = {
  show: (event) =>
    event.type === 'final' && event.text.trim() !== '' ? `${neutral(event.text).trim()}\n` : '',
  ...still,
}

/** A line of JSON for each event. */
export function jsonView(stats: boolean): View {
  return {
    show: (event) => (event.type === 'stats' && !stats ? '' : `${neutralJson(event)}\n`),
    ...still,
  }
}
