import { milliseconds } from './clock.ts'
import { oneLine } from './cue-text.ts'
import type { LineFormat } from './types.ts'

/** A table with a tab between columns: start and end in milliseconds, text. */
export const tsv: LineFormat = {
  header: 'start\tend\ttext\n',
  write: ({ start, end, text }) =>
    `${milliseconds(start)}\t${milliseconds(end)}\t${oneLine(text.replaceAll('\t', ' '))}\n`,
}
