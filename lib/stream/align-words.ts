/**
 * Where a new text goes on after an old one: both are aligned by least edit distance, in which the new one may go on for free.
 *
 * @param old words as {@link normalizeWord} gives them
 * @param text the words of the new text, the same
 * @returns how many words of `text` stand for `old`
 */
export function lengthOfSame(old: readonly string[], text: readonly string[]): number {
  // costs[j]: of turning old[0, i) into text[0, j).
  let costs = text.map((_, j) => j)
  costs.push(text.length)
  for (const [i, word] of old.entries()) {
    const next = [i + 1]
    for (let j = 1; j <= text.length; j++) {
      const replaced = (costs[j - 1] ?? 0) + (word === text[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (costs[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    costs = next
  }
  let best = 0
  for (let j = 1; j <= text.length; j++) {
    // Of equally good places the one that is nearest to the length of the old text.
    const better = (costs[j] ?? 0) - (costs[best] ?? 0)
    if (better < 0 || (better === 0 && j <= old.length)) best = j
  }
  return best
}
