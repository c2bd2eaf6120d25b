import type { Warning } from '../warnings.ts'
import type { Speaker } from './types.ts'

const sides: readonly (Speaker | undefined)[] = ['left', 'right']

/** Of audio that should tell who speaks, and has one channel. */
export const monoWarning: Warning = {
  code: 'DIARIZE_MONO',
  message: 'The audio has one channel, and diarize needs two to tell who speaks: no segment has a speaker',
}

/** A segment or word with its speaker as results have it: by name, and none where it is unclear. */
export function withSpeaker<T extends { speaker?: number }>(
  native: T,
): Omit<T, 'speaker'> & { speaker?: Speaker } {
  const { speaker, ...rest } = native
  const side = speaker === undefined ? undefined : sides[speaker]
  return side === undefined ? rest : { ...rest, speaker: side }
}
