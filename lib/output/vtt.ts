import { timingLine } from './clock.ts'
import { textLines } from './cue-text.ts'
import type { LineFormat } from './types.ts'

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** WebVTT. Its texts are marked up: what looks like a tag, an entity or the arrow of the times is escaped. */
export const vtt: LineFormat = {
  header: 'WEBVTT\n\n',
  write: ({ start, end, text }) =>
    `${timingLine(start, end, '.')}\n${textLines(text)
      .join('\n')
      .replace(/[&<>]/g, (character) => entities[character] as string)}\n\n`,
}
