import { corrupt } from '../failures.ts'
import { MAX_TOKEN_BYTES } from '../tokenizer.ts'

/**
 * Tokens by id as they are written in a vocabulary file: text tokens in the printable form of byte-level tokenizers, special
 * ones as they are, all in UTF-8. One buffer, because 50,000 small ones keep the garbage collector busy for milliseconds.
 */
export class RawTokens {
  readonly #file: string
  readonly #bytes: Uint8Array
  readonly #starts: Uint32Array
  /** 0 = there is no such token, else length + 1. */
  readonly #lengths: Uint32Array
  #used = 0

  /**
   * @param file path of the vocabulary file, for messages
   * @param capacity bytes of all tokens together at most; the size of the file is always enough
   * @param count number of ids
   */
  constructor(file: string, capacity: number, count: number) {
    this.#file = file
    this.#bytes = new Uint8Array(capacity)
    this.#starts = new Uint32Array(count)
    this.#lengths = new Uint32Array(count)
  }

  get count(): number {
    return this.#lengths.length
  }

  get(id: number): Uint8Array | undefined {
    const length = this.#lengths[id]
    if (!length) return undefined
    const start = this.#starts[id] as number
    return this.#bytes.subarray(start, start + length - 1)
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
    // The printable form takes up to two bytes for one.
    if (length > 2 * MAX_TOKEN_BYTES) throw corrupt(this.#file, `token ${id} is too long`)
    const known = this.get(id)
    if (known && Buffer.compare(known, source.subarray(start, end)) === 0) return
    if (known) throw corrupt(this.#file, `it has two tokens ${id}`)
    // A call of set() costs more than a token has bytes.
    const bytes = this.#bytes
    for (let from = start, to = this.#used; from < end; from++, to++) bytes[to] = source[from] as number
    this.#starts[id] = this.#used
    this.#lengths[id] = length + 1
    this.#used += length
  }
}
