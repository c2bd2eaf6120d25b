const LONGEST_PHRASE = 8
/** A word said three times can be meant; a phrase of several words hardly ever is. */
const repetitions = (length: number): number => (length === 1 ? 5 : length === 2 ? 4 : 3)

/**
 * Finds a loop, the way in which Whisper most often fails: a phrase of up to 8 words that is said again and again to the end of the text.
 *
 * @param words as {@link normalizeWord} gives them
 * @returns how many words are left when all but the first of the repetitions are dropped; `words.length` without a loop
 */
export function lengthBeforeLoop(words: readonly string[]): number {
  for (let length = 1; length <= LONGEST_PHRASE; length++) {
    let same = 0
    while (same + length < words.length && words.at(-1 - same) === words.at(-1 - same - length)) same++
    if (same >= (repetitions(length) - 1) * length) return words.length - same
  }
  return words.length
}
