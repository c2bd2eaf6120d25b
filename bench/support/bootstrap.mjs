// @ts-check

/** @typedef {{ wrong: number, words: number }} Count of one piece of speech */

const RESAMPLES = 10_000

/**
 * How far the word error rate of `counts` is from that of `others` on the same pieces, and the 95 % interval of it over
 * pieces drawn with replacement (Bisani and Ney 2004): what holds for other speech of the kind.
 * @param {readonly Count[]} counts
 * @param {readonly Count[]} others
 * @param {() => number} random a 32-bit number
 * @returns {{ difference: number, low: number, high: number }} in percentage points
 */
export function pairedDifference(counts, others, random) {
  const all = counts.map((_, i) => i)
  const draws = Array.from({ length: RESAMPLES }, () =>
    differenceOf(all.map(() => random() % counts.length)),
  ).sort((a, b) => a - b)
  return {
    difference: differenceOf(all),
    low: /** @type {number} */ (draws[Math.floor(0.025 * RESAMPLES)]),
    high: /** @type {number} */ (draws[Math.floor(0.975 * RESAMPLES)]),
  }

  /** @param {number[]} pieces */
  function differenceOf(pieces) {
    let [wrong, words] = [0, 0]
    for (const i of pieces) {
      const [mine, theirs] = [/** @type {Count} */ (counts[i]), /** @type {Count} */ (others[i])]
      wrong += mine.wrong - theirs.wrong
      words += mine.words
    }
    return (100 * wrong) / words
  }
}
