import type { Cue } from '../../output/types.ts'
import type { FinalEvent } from '../../stream/types.ts'

/**
 * Cuts an utterance into subtitles between words. Each one shows from the start of its first word to the end of its last.
 * @param maxLength characters of a subtitle, white space at the ends not counted; a longer word stays whole
 */
export function cuesOf({ start, end, text, words }: FinalEvent, maxLength: number): Cue[] {
  if (words.length === 0 || lengthOf(text) <= maxLength)
    return [{ start: words[0]?.start ?? start, end: words.at(-1)?.end ?? end, text }]
  const cues: Cue[] = []
  for (const word of words) {
    const cue = cues.at(-1)
    if (cue !== undefined && lengthOf(cue.text + word.text) <= maxLength) {
      cue.text += word.text
      cue.end = word.end
    } else cues.push({ start: word.start, end: word.end, text: word.text })
  }
  return cues.map((cue) => ({ ...cue, text: cue.text.trim() }))
}

/** Code points. */
function lengthOf(text: string): number {
  return [...text.trim()].length
}
