/** Random access to the bytes of a model: a file or bytes in memory. Implementations: {@link openFileSource}, {@link bytesSource}. */
export interface ByteSource {
  /** For messages: the path, or `<bytes>`. */
  readonly name: string
  readonly size: number
  /** Reads exactly `length` bytes or throws `ERR_MODEL_CORRUPT` naming the source and offset. */
  read(offset: number, length: number): Promise<Uint8Array>
  /** What the addon gets: an open file descriptor, or the bytes. */
  readonly native: { fd: number } | { bytes: Uint8Array }
  /** Throws `ERR_MODEL_CORRUPT` when the file was written to since it was opened: what was read may be of both. */
  requireUnchanged(): Promise<void>
  close(): Promise<void>
}
