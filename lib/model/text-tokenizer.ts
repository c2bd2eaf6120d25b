import { PairQueue } from './pair-queue.ts'
import type { Vocabulary } from './plan.ts'

/**
 * What is merged on its own: endings of English contractions, words, numbers, other signs, and white space, of which the last one stays
 * with what follows (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019). White space is that of Unicode,
 * which is not that of `\s`.
 */
const PIECES =
  /'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu

const NONE = -1

/**
 * Writes text as tokens: byte-level byte pair encoding, as OpenAI's tokenizer does it. A vocabulary lists its merges in the order in which
 * they apply, so the id of a token is its rank. Special tokens such as `<|endoftext|>` are text like any other.
 */
export class TextTokenizer {
  readonly #vocabulary: Vocabulary
  #index: TokenIndex | undefined

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary
  }

  /** Tokens of a text. A byte for which the vocabulary has no token is left out; OpenAI's have all of them. */
  encode(text: string): number[] {
    if (text === '') return []
    // Made when it is needed: most transcriptions have no prompt.
    this.#index ??= new TokenIndex(this.#vocabulary)
    const tokens: number[] = []
    for (const [piece] of text.matchAll(PIECES)) merge(Buffer.from(piece), this.#index, tokens)
    return tokens
  }
}

/** Merges the neighbours with the least rank, of equal ones the first, until none are a token together. */
function merge(bytes: Uint8Array, index: TokenIndex, tokens: number[]): void {
  const whole = index.find(bytes, 0, bytes.length)
  if (whole !== NONE) {
    tokens.push(whole)
    return
  }
  const count = bytes.length
  // Parts by their first byte: where the next and the one before begin.
  const next = Int32Array.from(bytes, (_, i) => i + 1)
  const previous = Int32Array.from(bytes, (_, i) => i - 1)
  // Of a part and the next one; an entry of the queue that differs is outdated.
  const ranks = new Int32Array(count).fill(NONE)
  const queue = new PairQueue()
  const rate = (at: number) => {
    const middle = next[at] as number
    const rank = middle < count ? index.find(bytes, at, next[middle] as number) : NONE
    ranks[at] = rank
    if (rank !== NONE) queue.push(rank, at)
  }
  for (let at = 0; at < count; at++) rate(at)
  for (let pair = queue.pop(); pair !== undefined; pair = queue.pop()) {
    const { rank, at } = pair
    if (ranks[at] !== rank) continue
    const gone = next[at] as number
    const after = next[gone] as number
    next[at] = after
    if (after < count) previous[after] = at
    ranks[gone] = NONE
    rate(at)
    if (at > 0) rate(previous[at] as number)
  }
  for (let at = 0; at < count; at = next[at] as number) {
    const token = index.find(bytes, at, next[at] as number)
    if (token !== NONE) tokens.push(token)
  }
}

/** Finds tokens by their bytes, in the buffer of the vocabulary: 50,000 strings would take milliseconds to make. */
class TokenIndex {
  readonly #bytes: Uint8Array
  /** Where each token begins, and where the last one ends. */
  readonly #starts: Uint32Array
  /** Ids + 1 by hash, 0 = free: a power of 2, less than half of which is used. */
  readonly #slots: Uint32Array

  constructor({ bytes, lengths }: Vocabulary) {
    this.#bytes = bytes
    this.#starts = new Uint32Array(lengths.length + 1)
    this.#slots = new Uint32Array(1 << Math.ceil(Math.log2(2 * lengths.length + 2)))
    for (let id = 0, start = 0; id < lengths.length; id++) {
      const end = start + (lengths[id] as number)
      this.#starts[id + 1] = end
      if (end > start) {
        const slot = this.#slotOf(bytes, start, end)
        // Of tokens with the same bytes the first counts.
        if (this.#slots[slot] === 0) this.#slots[slot] = id + 1
      }
      start = end
    }
  }

  /** Id of the token with the bytes of `source` from `start` to `end`, or {@link NONE}. */
  find(source: Uint8Array, start: number, end: number): number {
    return (this.#slots[this.#slotOf(source, start, end)] as number) - 1
  }

  /** Where the token is, or the free slot where it belongs. */
  #slotOf(source: Uint8Array, start: number, end: number): number {
    const mask = this.#slots.length - 1
    let hash = 0x811c9dc5
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (source[i] as number), 0x01000193)
    let slot = (hash ^ (hash >>> 15)) & mask
    for (;;) {
      const id = (this.#slots[slot] as number) - 1
      if (id < 0 || this.#hasBytes(id, source, start, end)) return slot
      slot = (slot + 1) & mask
    }
  }

  #hasBytes(id: number, source: Uint8Array, start: number, end: number): boolean {
    const first = this.#starts[id] as number
    if ((this.#starts[id + 1] as number) - first !== end - start) return false
    for (let i = start; i < end; i++) {
      if (source[i] !== this.#bytes[first + i - start]) return false
    }
    return true
  }
}
