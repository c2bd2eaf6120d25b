import { corrupt } from '../failures.ts'
import { MAX_TOKEN_BYTES } from '../tokenizer.ts'

/** Longest token as it is written: the printable form takes up to two bytes for one. */
export const MAX_PRINTABLE_BYTES = 2 * MAX_TOKEN_BYTES

/** Whisper's tokens have about 430,000. */
const FIRST_BYTES = 1 << 19

/**
 * Tokens by id as they are written in a vocabulary file: text tokens in the printable form of byte-level tokenizers, special
 * ones as they are, all in UTF-8. One buffer, because 50,000 small ones keep the garbage collector busy for milliseconds.
 */
export class RawTokens {
  readonly #file: string
  readonly #capacity: number
  #bytes: Uint8Array
  readonly #starts: Uint32Array
  /** 0 = there is no such token, else length + 1. */
  readonly #lengths: Uint32Array
  #used = 0

  /**
   * @param file path of the vocabulary file, for messages
   * @param capacity bytes that all tokens may have together; the size of the file is always enough
   * @param count number of ids
   */
  constructor(file: string, capacity: number, count: number) {
    this.#file = file
    this.#capacity = capacity
    this.#bytes = new Uint8Array(Math.min(capacity, FIRST_BYTES))
    this.#starts = new Uint32Array(count)
    this.#lengths = new Uint32Array(count)
  }

  get count(): number {
    return this.#lengths.length
  }

  /** All tokens, in the order in which they were put. Ends when the next one is. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  has(id: number): boolean {
    return this.#lengths[id] !== 0
  }

  /** Where a token that is there starts in {@link bytes}: a view of each would take longer than decoding it. */
  startOf(id: number): number {
    return this.#starts[id] as number
  }

  /** Where it ends. */
  endOf(id: number): number {
    return this.startOf(id) + (this.#lengths[id] as number) - 1
  }

  get(id: number): Uint8Array | undefined {
    return id < this.count && this.has(id)
      ? this.#bytes.subarray(this.startOf(id), this.endOf(id))
      : undefined
  }

  /**
   * Keeps the bytes of `source` from `start` to `end`.
   * @throws WhisperHipError `ERR_MODEL_CORRUPT` for an id that the model does not have or that is taken by another token
   */
  put(id: number, source: Uint8Array, start = 0, end = source.byteLength): void {
    const length = end - start
    if (id >= this.count) {
      throw corrupt(this.#file, `it has a token ${id}, where the model has ${this.count} tokens`)
    }
    if (length > MAX_PRINTABLE_BYTES) throw corrupt(this.#file, `token ${id} is too long: ${length} bytes`)
    if (this.has(id)) {
      if (Buffer.compare(this.get(id) as Uint8Array, source.subarray(start, end)) === 0) return
      throw corrupt(this.#file, `it has two tokens ${id}`)
    }
    while (this.#used + length > this.#bytes.byteLength) this.#grow(id)
    // A call of set() costs more than a token has bytes.
    const bytes = this.#bytes
    for (let from = start, to = this.#used; from < end; from++, to++) bytes[to] = source[from] as number
    this.#starts[id] = this.#used
    this.#lengths[id] = length + 1
    this.#used += length
  }

  #grow(id: number): void {
    const size = Math.min(2 * this.#bytes.byteLength, this.#capacity)
    if (size === this.#bytes.byteLength)
      throw corrupt(this.#file, `its tokens have more than ${size} bytes at token ${id}`)
    const bytes = new Uint8Array(size)
    bytes.set(this.#bytes)
    this.#bytes = bytes
  }
}
