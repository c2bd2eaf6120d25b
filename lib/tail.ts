/** The last bytes of a stream. */
export class Tail {
  readonly #most: number
  #bytes = Buffer.alloc(0)

  constructor(most: number) {
    this.#most = most
  }

  push(chunk: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(-this.#most)
  }

  text(): string {
    return this.#bytes.toString('utf8')
  }
}
