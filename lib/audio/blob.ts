import { invalidArgument } from '../check.ts'
import { sliceBytes } from './bytes.ts'
import type { ChunkStream } from './types.ts'

/** What jsdom has in place of the methods of a Blob. */
interface Reader {
  result: ArrayBuffer
  error: unknown
  onload: () => void
  onerror: () => void
  readAsArrayBuffer(blob: Blob): void
}

/**
 * The bytes of a Blob, by what it has: not all that are called so have `stream()`.
 * @throws `ERR_INVALID_ARGUMENT` when it has nothing to be read with
 */
export function blobBytes(blob: Partial<Blob>): ChunkStream<unknown> {
  if (typeof blob.stream === 'function') return blob.stream()
  const read = typeof blob.arrayBuffer === 'function' ? () => blob.arrayBuffer?.() : withReader(blob)
  if (read !== undefined) return once(read)
  throw invalidArgument('a Blob that has stream() or arrayBuffer()', 'audio', blob, {
    advice: ['Pass the bytes themselves, a Uint8Array', "Or take Blob from 'node:buffer'"],
  })
}

async function* once(read: () => Promise<ArrayBuffer> | undefined): AsyncGenerator<Uint8Array> {
  const bytes = new Uint8Array((await read()) as ArrayBuffer)
  for (let at = 0; at < bytes.length; at += sliceBytes) yield bytes.subarray(at, at + sliceBytes)
}

/** The Blobs of jsdom are read by the class beside them. */
function withReader(blob: Partial<Blob>): (() => Promise<ArrayBuffer>) | undefined {
  const { FileReader } = globalThis as { FileReader?: new () => Reader }
  if (FileReader === undefined) return undefined
  return () =>
    new Promise((resolve, reject) => {
      const reader = new FileReader()
      reader.onload = () => resolve(reader.result)
      reader.onerror = () => reject(reader.error)
      reader.readAsArrayBuffer(blob as Blob)
    })
}
