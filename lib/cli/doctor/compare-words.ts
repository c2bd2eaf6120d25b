/** A place where two texts differ; '' where one has nothing. */
export interface Difference {
  gpu: string
  cpu: string
}

export interface Comparison {
  /**
   * `same`: letter by letter. `nearly the same`: at most one word in twenty differs, as the rounding of another processor can bring
   * about. `different`: more than that, or no text where there is one.
   */
  verdict: 'same' | 'nearly the same' | 'different'
  /** Words to substitute, delete and insert in the text of the GPU to get that of the CPU, by the number of those of the CPU. */
  wordErrorRate: number
  differences: readonly Difference[]
}

/** What rounding may change. */
const BOUND = 1 / 20

/** Compares the text of the GPU with that of the CPU, which counts as right. */
export function compareTexts(gpu: string, cpu: string): Comparison {
  const [ours, right] = [gpu.trim(), cpu.trim()]
  if (ours === right) return { verdict: 'same', wordErrorRate: 0, differences: [] }
  const pairs = align(wordsOf(ours), wordsOf(right), (our, right) => our === right)
  const edits = pairs.map(([gpu, cpu]) => ({ gpu: gpu ?? '', cpu: cpu ?? '' }))
  const wordErrorRate =
    edits.filter((edit) => edit.gpu !== edit.cpu).length / Math.max(1, wordsOf(right).length)
  const differs = wordErrorRate > BOUND || ours === '' || right === ''
  return { verdict: differs ? 'different' : 'nearly the same', wordErrorRate, differences: joined(edits) }
}

/** Words without case and punctuation, also of languages that put no spaces between them. */
function wordsOf(text: string): string[] {
  const segments = new Intl.Segmenter(undefined, { granularity: 'word' }).segment(text)
  return [...segments].flatMap(({ segment, isWordLike }) => (isWordLike ? segment.toLowerCase() : []))
}

/**
 * Brings two sequences together with the least edits (Levenshtein).
 * @returns pairs in order; null stands for nothing on that side
 */
export function align<Ours, Right>(
  ours: readonly Ours[],
  right: readonly Right[],
  isEqual: (our: Ours, right: Right) => boolean,
): [Ours | null, Right | null][] {
  const columns = right.length + 1
  const costs = new Uint32Array((ours.length + 1) * columns)
  const cost = (row: number, column: number) => costs[row * columns + column] as number
  const differ = (row: number, column: number) =>
    Number(!isEqual(ours[row - 1] as Ours, right[column - 1] as Right))
  const ways = (row: number, column: number) => [
    row > 0 && column > 0 ? cost(row - 1, column - 1) + differ(row, column) : Infinity,
    row > 0 ? cost(row - 1, column) + 1 : Infinity,
    column > 0 ? cost(row, column - 1) + 1 : Infinity,
  ]
  for (let row = 0; row <= ours.length; row++)
    for (let column = 0; column < columns; column++)
      if (row + column > 0) costs[row * columns + column] = Math.min(...ways(row, column))

  const pairs: [Ours | null, Right | null][] = []
  for (let row = ours.length, column = right.length; row + column > 0; ) {
    const way = ways(row, column).indexOf(cost(row, column))
    pairs.push([way === 2 ? null : (ours[--row] as Ours), way === 1 ? null : (right[--column] as Right)])
  }
  return pairs.reverse()
}

/** Neighbouring edits as one difference, so that it reads as people would say it. */
function joined(edits: readonly Difference[]): Difference[] {
  const differences: Difference[] = []
  let isOpen = false
  for (const { gpu, cpu } of edits) {
    const last = differences.at(-1)
    if (gpu === cpu) isOpen = false
    else if (isOpen && last !== undefined) {
      last.gpu = `${last.gpu} ${gpu}`.trim()
      last.cpu = `${last.cpu} ${cpu}`.trim()
    } else {
      differences.push({ gpu, cpu })
      isOpen = true
    }
  }
  return differences
}
