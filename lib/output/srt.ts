import { timingLine } from './clock.ts'
import { textLines } from './cue-text.ts'
import type { LineFormat } from './types.ts'

/**
 * SubRip. The format has no escapes: the arrow of the times is shortened where a text has it, which programs would otherwise
 * take for the next subtitle. Lines end with a line feed alone, which all players read.
 */
export const srt: LineFormat = {
  header: '',
  write: ({ start, end, text }, number) =>
    `${number}\n${timingLine(start, end, ',')}\n${textLines(text)
      .join('\n')
      .replace(/-{2,}>/g, '->')}\n\n`,
}
