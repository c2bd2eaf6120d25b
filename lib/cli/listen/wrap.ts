import stringWidth from 'string-width'
import { breakable } from '../../transcribe/split-segments.ts'

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** A line of a text: where it begins and ends in it, in UTF-16 units. */
export interface Line {
  start: number
  end: number
}

/**
 * Breaks a text into lines that are no wider than `columns` on a terminal: between words, and inside of a word only where it alone
 * is wider. White space at the ends of a line is not part of it.
 *
 * @param text on one line, without control characters
 * @param columns at least 1; a character that is wider stands alone
 */
export function wrap(text: string, columns: number): Line[] {
  const lines: Line[] = []
  let at = 0
  let line: Line | undefined
  for (const piece of breakable(text).flatMap((word) => cut(word, columns))) {
    const start = at + piece.length - piece.trimStart().length
    const end = at + piece.trimEnd().length
    at += piece.length
    if (end <= start) continue
    if (line !== undefined && stringWidth(text.slice(line.start, end)) <= columns) line.end = end
    else {
      line = { start, end }
      lines.push(line)
    }
  }
  return lines
}

/** A word that fits, or parts of it that do. */
function cut(word: string, columns: number): string[] {
  if (stringWidth(word.trim()) <= columns) return [word]
  const parts: string[] = []
  let part = ''
  for (const { segment } of graphemes.segment(word)) {
    if (part.trim() !== '' && stringWidth((part + segment).trim()) > columns) {
      parts.push(part)
      part = ''
    }
    part += segment
  }
  return [...parts, part]
}
