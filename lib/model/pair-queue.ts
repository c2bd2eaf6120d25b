/** More than a text has bytes. */
const POSITIONS = 2 ** 26

/** Neighbours that may be merged: the least rank first, of equal ones the first in the text. A binary heap. */
export class PairQueue {
  /** Rank and position in one number, which compares as both do. */
  readonly #heap: number[] = []

  push(rank: number, at: number): void {
    const heap = this.#heap
    const key = rank * POSITIONS + at
    let place = heap.length
    for (; place > 0; ) {
      const parent = (place - 1) >> 1
      const above = heap[parent] as number
      if (above <= key) break
      heap[place] = above
      place = parent
    }
    heap[place] = key
  }

  pop(): { rank: number; at: number } | undefined {
    const heap = this.#heap
    const [first] = heap
    const key = heap.pop()
    if (first === undefined || key === undefined) return undefined
    if (heap.length > 0) this.#sink(key)
    return { rank: Math.floor(first / POSITIONS), at: first % POSITIONS }
  }

  /** Puts a key in the place of the first. */
  #sink(key: number): void {
    const heap = this.#heap
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++
      const below = heap[child] as number
      if (below >= key) break
      heap[place] = below
      place = child
    }
    heap[place] = key
  }
}
