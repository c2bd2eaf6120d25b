import type { Pacer } from '../pacer.ts'
import { rowBytes } from './ggml-types.ts'
import type { ByteSource } from './source.ts'
import type { StoredTensor } from './stored-tensor.ts'

/** Channels that are compared. All would need as many passes over one of the matrices. */
const CHANNELS = 16
const AT_ONCE = 1 << 20

/**
 * Whether a matrix [channels, tokens] that is stored by channels is one that is stored by tokens. For every token a sample of channels is
 * compared, spread over the width: matrices that were trained apart differ everywhere.
 *
 * @param a stored by channels, of the same type and shape as `b`
 */
export async function isTransposed(
  sources: readonly ByteSource[],
  a: StoredTensor,
  b: StoredTensor,
  pacer: Pacer,
): Promise<boolean> {
  const [channels, tokens] = b.shape as [number, number]
  const width = rowBytes(a.type, 1)
  const count = Math.min(CHANNELS, channels)
  const compared = Array.from({ length: count }, (_, i) => Math.floor((i * channels) / count))
  const [left, right] = [a, b].map(({ source }) => sources[source] as ByteSource) as [ByteSource, ByteSource]
  const columns: Uint8Array[] = []
  for (const channel of compared) {
    columns.push(await left.read(a.offset + channel * tokens * width, tokens * width))
    if (pacer.due) await pacer.turn()
  }
  const rowsAtOnce = Math.max(1, Math.floor(AT_ONCE / (channels * width)))
  for (let first = 0; first < tokens; first += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, tokens - first)
    const block = await right.read(b.offset + first * channels * width, rows * channels * width)
    for (let row = 0; row < rows; row++) {
      for (const [i, channel] of compared.entries()) {
        const column = columns[i] as Uint8Array
        for (let byte = 0; byte < width; byte++) {
          const at = (row * channels + channel) * width + byte
          if (block[at] !== column[(first + row) * width + byte]) return false
        }
      }
    }
    if (pacer.due) await pacer.turn()
  }
  return true
}
