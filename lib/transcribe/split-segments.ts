import type { NativeSegment } from '../native.ts'

/** Scripts that put no spaces between words. */
const spaceless =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]/u
const opening = /[\p{Ps}\p{Pi}]$/u

/** Words of any language; the rules of Unicode (UAX 29) with dictionaries for the scripts above. */
const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' })

/**
 * Splits a segment into parts of at most `maxLength` characters, between words: before white space, and in scripts without
 * spaces before a word. A longer word stays whole. The time is that of the words, where there are any, else shared out by length of
 * text; tokens and words go to the part in which they begin; the other figures are copied.
 *
 * @param maxLength code points, white space at the ends not counted
 * @returns one or more segments with the same text and tokens, joined, as the given one
 */
export function splitSegment(segment: NativeSegment, maxLength: number): NativeSegment[] {
  if (lengthOf(segment.text.trim()) <= maxLength) return [segment]
  const texts = fillLines(breakable(segment.text), maxLength)
  const total = lengthOf(segment.text)
  const seconds = segment.end - segment.start
  let done = 0
  const parts = texts.map((text) => {
    const start = segment.start + (seconds * done) / total
    done += lengthOf(text)
    const end = done === total ? segment.end : segment.start + (seconds * done) / total
    const tokens: NativeSegment['tokens'] = []
    const words: NonNullable<NativeSegment['words']> = []
    return { part: { ...segment, start, end, text, tokens, words }, until: done }
  })
  /** Goes through pieces that are the text when joined. */
  const shareOut = <T extends { text: string }>(
    pieces: readonly T[],
    of: (home: (typeof parts)[number]['part']) => T[],
  ) => {
    let at = 0
    for (const piece of pieces) {
      const home = parts.find(({ until }) => at < until) ?? parts.at(-1)
      if (home !== undefined) of(home.part).push(piece)
      at += lengthOf(piece.text)
    }
  }
  shareOut(segment.tokens, ({ tokens }) => tokens)
  if (segment.words === undefined) return parts.map(({ part: { words: _, ...part } }) => part)
  shareOut(segment.words, ({ words }) => words)
  return parts.map(({ part }) => ({
    ...part,
    start: part.words[0]?.start ?? part.start,
    end: part.words.at(-1)?.end ?? part.end,
  }))
}

function lengthOf(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}

/** Cuts a text wherever a line may break; the pieces joined are the text. */
export function breakable(text: string): string[] {
  const pieces: string[] = []
  let piece = ''
  for (const { segment, isWordLike } of segmenter.segment(text)) {
    const blank = segment.trim() === ''
    const mayBreak = blank
      ? piece.trim() !== ''
      : isWordLike === true && spaceless.test(segment) && piece.trim() !== '' && !opening.test(piece)
    if (mayBreak) {
      pieces.push(piece)
      piece = ''
    }
    piece += segment
  }
  // White space at the very end stays with the last word.
  if (piece.trim() === '' && pieces.length > 0) pieces.push((pieces.pop() ?? '') + piece)
  else pieces.push(piece)
  return pieces
}

/** Joins pieces into lines, each as long as it can be. */
function fillLines(pieces: readonly string[], maxLength: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const piece of pieces) {
    if (line !== '' && lengthOf((line + piece).trim()) > maxLength) {
      lines.push(line)
      line = ''
    }
    line += piece
  }
  lines.push(line)
  return lines
}
