/** What of a recording is listened to. */
export interface AudioChoice {
  /** Which channels: the mean of all, one by its number, or each for itself. */
  channel: 'mix' | 'split' | number
  /** Which audio track: a number from 0, or the code of a language; `undefined`: the one that the container calls its default. */
  track: number | string | undefined
}

/** What is listened to when nobody says otherwise. */
export const everything: AudioChoice = { channel: 'mix', track: undefined }
