import { digits, splitTime } from './clock.ts'
import { oneLine } from './cue-text.ts'
import type { LineFormat } from './types.ts'

/** Synchronised lyrics: `[mm:ss.xx]text`. They have no hours and no ends: minutes go on past 59, a line stays until the next. */
export const lrc: LineFormat = {
  header: '',
  write({ start, text }) {
    const { hours, minutes, seconds, fraction } = splitTime(start, 100)
    const line = oneLine(text)
    // A bracket right after the time would be read as another one.
    const gap = line.startsWith('[') ? ' ' : ''
    return `[${digits(60 * hours + minutes, 2)}:${digits(seconds, 2)}.${digits(fraction, 2)}]${gap}${line}\n`
  },
}
