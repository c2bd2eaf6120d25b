import { normalizeWord } from './normalize.ts'

const LONGEST_PHRASE = 8
/** Words before the newest ones that can be the beginning of a loop: three of the longest phrases. */
const REMEMBERED = 3 * LONGEST_PHRASE
/** Average log probability below which the model is not sure of a text: what it makes up has less, clear speech hardly ever. */
const UNSURE = -0.6

/**
 * How often a phrase of so many words is said in a row in a loop. A word said three times can be meant; a phrase of several words hardly ever
 * is. Of a text that the model is not sure of less is believed.
 */
function repetitions(length: number, isUnsure: boolean): number {
  if (length === 1) return isUnsure ? 4 : 5
  return length === 2 && !isUnsure ? 4 : 3
}

/**
 * Finds a loop, the way in which Whisper most often fails: a phrase of up to 8 words that is said again and again to the end of the text.
 *
 * @param words as {@link normalizeWord} gives them
 * @param averageLogProbability of the text
 * @returns how many words are left when all but the first of the repetitions are dropped; `words.length` without a loop
 */
export function lengthBeforeLoop(words: readonly string[], averageLogProbability = 0): number {
  const isUnsure = averageLogProbability < UNSURE
  for (let length = 1; length <= LONGEST_PHRASE; length++) {
    let same = 0
    while (same + length < words.length && words.at(-1 - same) === words.at(-1 - same - length)) same++
    if (same >= (repetitions(length, isUnsure) - 1) * length) return words.length - same
  }
  return words.length
}

/**
 * What the last utterances of a stream said, as long as the model was not sure of them: a phrase that it makes up in noise comes again with each
 * noise. One utterance that it is sure of ends the row.
 */
export class LoopMemory {
  #words: string[] = []

  /** An utterance has become final. One of which nothing was left tells nothing. */
  remember(words: readonly { text: string }[], averageLogProbability: number): void {
    if (words.length === 0) return
    const before = averageLogProbability < UNSURE ? this.#words : []
    const said = averageLogProbability < UNSURE ? words.map(({ text }) => normalizeWord(text)) : []
    this.#words = [...before, ...said].slice(-REMEMBERED)
  }

  /**
   * The new words of an utterance up to the point where the text begins to repeat itself.
   *
   * @param committed what stays of the utterance
   * @param averageLogProbability of the new words
   */
  withoutLoop<T extends { text: string }>(
    committed: readonly { text: string }[],
    tail: readonly T[],
    averageLogProbability: number,
  ): T[] {
    const own = [...committed, ...tail].map(({ text }) => normalizeWord(text))
    const before = averageLogProbability < UNSURE ? this.#words : []
    const words = [...before, ...own].slice(-REMEMBERED - tail.length)
    const dropped = words.length - lengthBeforeLoop(words, averageLogProbability)
    return tail.slice(0, Math.max(tail.length - dropped, 0))
  }
}
