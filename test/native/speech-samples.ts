import { readFileSync } from 'node:fs'

/** Samples of a plain wav file of 16 bits and one channel. */
export function readWav(path: string): Float32Array<ArrayBuffer> {
  const bytes = readFileSync(path)
  const data = bytes.indexOf('data') + 8
  const count = (bytes.length - data) >> 1
  return Float32Array.from({ length: count }, (_, i) => bytes.readInt16LE(data + 2 * i) / 32_768)
}
