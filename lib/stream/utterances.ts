import type { AudioBuffer } from './audio-buffer.ts'
import type { EndReason } from './endpointer.ts'
import type { FinalText, Policy, UtteranceAudio } from './policies/policy.ts'

/** One utterance on its way to its final. Positions are samples from the start of the stream. */
export interface Utterance {
  number: number
  start: number
  policy: Policy
  /** Where it ends, once that is known. */
  end?: { cut: number; reason: EndReason }
  /** Where it ends if nobody goes on. */
  pause?: number
  /** Its final, if it ends where it paused. */
  ahead?: { cut: number; text: FinalText }
  /** How far the last partial has heard, and when the next one is due. */
  heard: number
  revision: number
  /** Whether a partial had text. */
  shown: boolean
  /** When its work was due, of `performance.now()`. */
  due: number
}

export function audioOf(buffer: AudioBuffer, start: number, end: number): UtteranceAudio {
  return { start, end, slice: (from, to) => buffer.slice(from, to) }
}
