/** Little-endian bytes of the tables of a file in the making. */
export class ByteBuilder {
  #bytes = new Uint8Array(1 << 16)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  get length(): number {
    return this.#length
  }

  i32(value: number): void {
    const at = this.#room(4)
    this.#view.setInt32(at, value, true)
  }

  u32(value: number): void {
    const at = this.#room(4)
    this.#view.setUint32(at, value, true)
  }

  u64(value: number): void {
    const at = this.#room(8)
    this.#view.setBigUint64(at, BigInt(value), true)
  }

  f32(value: number): void {
    const at = this.#room(4)
    this.#view.setFloat32(at, value, true)
  }

  bytes(value: Uint8Array): void {
    const at = this.#room(value.byteLength)
    this.#bytes.set(value, at)
  }

  floats(values: Float32Array): void {
    for (const value of values) this.f32(value)
  }

  /** Zeros up to a multiple of `alignment`. */
  align(alignment: number): void {
    this.#room(padded(this.#length, alignment) - this.#length)
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  /** Makes room, which may replace the buffer, and returns where it is. */
  #room(length: number): number {
    const at = this.#length
    this.#length += length
    if (this.#length > this.#bytes.byteLength) {
      const grown = new Uint8Array(2 * this.#length)
      grown.set(this.#bytes)
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    return at
  }
}

export function padded(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}
