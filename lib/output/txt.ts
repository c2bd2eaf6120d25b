import { oneLine } from './cue-text.ts'
import type { LineFormat } from './types.ts'

/** Plain text: a line for each segment. */
export const txt: LineFormat = {
  header: '',
  write: ({ text }) => `${oneLine(text)}\n`,
}
