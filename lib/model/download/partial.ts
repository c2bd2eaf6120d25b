/** The beginning of a file that is being downloaded, and the note that lets a later attempt or process continue it. */
import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hashFile } from './disk.ts'
import { errorCode, fileError } from './failure.ts'

export class Partial {
  /** Bytes on the disk. */
  length = 0
  /** SHA-256 of those bytes. */
  hash: Hash = createHash('sha256')
  /** Proves to the server which version of the file was begun. */
  validator: string | undefined
  readonly path: string
  private readonly note: string
  /** The URL may hold secrets, so that the note only keeps a fingerprint of it. */
  private readonly key: string

  /** `target`: the finished file. `maximum`: its size, when that is known. */
  constructor(
    target: string,
    url: URL,
    private readonly maximum: number | undefined,
  ) {
    this.path = `${target}.partial`
    this.note = `${target}.partial.json`
    this.key = createHash('sha256').update(url.href).digest('hex')
  }

  /** Takes stock of what can be continued: sets {@link length}, {@link hash} and {@link validator}; nothing: 0 bytes. */
  async resume(signal: AbortSignal | undefined): Promise<void> {
    const validator = await this.readNote()
    const size = await stat(this.path).then(
      (stats) => stats.size,
      () => 0,
    )
    const usable = validator !== undefined && size > 0 && size <= (this.maximum ?? Number.POSITIVE_INFINITY)
    if (!usable) return this.reset(undefined)
    if (size !== this.length) this.hash = await hashFile(this.path, signal)
    this.length = size
    this.validator = validator
  }

  /** Opens the file for {@link append}: to continue at `offset`, or anew when that is 0. */
  async open(offset: number, validator: string | undefined): Promise<FileHandle> {
    if (offset === 0) this.reset(validator)
    await this.writeNote(validator)
    try {
      return await open(this.path, offset > 0 ? 'a' : 'w')
    } catch (error) {
      throw fileError(error, 'write', this.path)
    }
  }

  async append(file: FileHandle, chunk: Uint8Array): Promise<void> {
    try {
      await file.appendFile(chunk)
    } catch (error) {
      // What filled the disk must not keep filling it.
      if (['ENOSPC', 'EDQUOT'].includes(errorCode(error) ?? '')) await this.discard()
      throw fileError(error, 'write', this.path)
    }
    this.hash.update(chunk)
    this.length += chunk.length
  }

  async discard(): Promise<void> {
    this.reset(undefined)
    await rm(this.path, { force: true })
    await rm(this.note, { force: true })
  }

  /** After the file itself was moved away. */
  async forget(): Promise<void> {
    await rm(this.note, { force: true })
  }

  private reset(validator: string | undefined): void {
    this.length = 0
    this.hash = createHash('sha256')
    this.validator = validator
  }

  private async readNote(): Promise<string | undefined> {
    try {
      const note = JSON.parse(await readFile(this.note, 'utf8')) as unknown
      if (typeof note !== 'object' || note === null || !('url' in note) || !('validator' in note))
        return undefined
      const { url, validator } = note
      // Only what a header can carry: anyone who can write to the cache may have written the note.
      const valid =
        url === this.key && typeof validator === 'string' && /^[\x20-\x7e]{1,1000}$/.test(validator)
      return valid ? validator : undefined
    } catch {
      return undefined
    }
  }

  private async writeNote(validator: string | undefined): Promise<void> {
    try {
      if (validator === undefined) return await rm(this.note, { force: true })
      await writeFile(`${this.note}.new`, JSON.stringify({ url: this.key, validator }))
      await rename(`${this.note}.new`, this.note)
    } catch (error) {
      throw fileError(error, 'write', this.note)
    }
  }
}
