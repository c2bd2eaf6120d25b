import { checkInteger, invalidArgument } from '../check.ts'

/** What of a recording is listened to. */
export interface AudioChoice {
  /** Which channels: the mean of all, one by its number, or each for itself. */
  channel: 'mix' | 'split' | number
  /** Which audio track: a number from 0, or the code of a language; `undefined`: the one that the container calls its default. */
  track: number | string | undefined
}

/** What is listened to when nobody says otherwise. */
export const everything: AudioChoice = { channel: 'mix', track: undefined }

/** @throws `ERR_INVALID_ARGUMENT` naming the option */
export function parseChannel(value: unknown, name: string): AudioChoice['channel'] {
  if (typeof value === 'number') return checkInteger(value, name, 0, 63)
  if (value === 'mix' || value === 'split') return value
  throw invalidArgument('"mix", "split" or the number of a channel', name, value)
}

/** @throws `ERR_INVALID_ARGUMENT` naming the option */
export function parseTrack(value: unknown, name: string): number | string {
  if (typeof value === 'number') return checkInteger(value, name, 0, 999)
  if (typeof value === 'string' && /^[a-z]{2,3}(-[a-z\d-]+)?$/i.test(value)) return value
  throw invalidArgument('the number of an audio track or the code of a language', name, value)
}
