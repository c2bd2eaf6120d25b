import { type FileHandle, open, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { WhisperHipError } from '../errors.ts'
import { cannotWrite } from './write-failure.ts'

/** Left free beside the file. */
const RESERVE = 32 << 20

/**
 * A large file that is there as a whole or not at all: it is written beside its place, flushed to the disk, and moved there.
 */
export class NewFile {
  readonly #path: string
  readonly #partial: string
  readonly #handle: FileHandle

  private constructor(path: string, partial: string, handle: FileHandle) {
    this.#path = path
    this.#partial = partial
    this.#handle = handle
  }

  /**
   * @param path its folder must exist; what is there is replaced at the end
   * @throws WhisperHipError `ERR_WRITE`, also when the disk has no room for `size` bytes
   */
  static async create(path: string, size: number): Promise<NewFile> {
    const place = resolve(path)
    const folder = dirname(place)
    try {
      await requireSpace(folder, size)
      await requireNoFolder(place)
      const partial = join(folder, `.${basename(place)}.${process.pid}.partial`)
      return new NewFile(place, partial, await open(partial, 'wx+'))
    } catch (error) {
      throw error instanceof WhisperHipError ? error : cannotWrite(path, error)
    }
  }

  get descriptor(): number {
    return this.#handle.fd
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.byteLength; ) {
        const left = bytes.byteLength - done
        done += (await this.#handle.write(bytes, done, left, offset + done)).bytesWritten
      }
    } catch (error) {
      throw cannotWrite(this.#path, error)
    }
  }

  /** Gives it its size, and its place. */
  async publish(size: number): Promise<void> {
    try {
      await this.#handle.truncate(size)
      await this.#handle.sync()
      await this.#handle.close()
      await rename(this.#partial, this.#path)
      await syncFolder(dirname(this.#path))
    } catch (error) {
      throw cannotWrite(this.#path, error)
    }
  }

  /** Removes what was written; does nothing after {@link publish}. */
  async discard(): Promise<void> {
    await this.#handle.close()
    await rm(this.#partial, { force: true })
  }
}

async function requireSpace(folder: string, size: number): Promise<void> {
  const { blocks, bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  // Some network and user-space file systems do not say how large they are.
  if (blocks === 0 || free >= size + RESERVE) return
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`
  throw new WhisperHipError(
    'ERR_WRITE',
    `Not enough disk space in '${folder}': ${megabytes(size + RESERVE)} needed, ${megabytes(free)} free`,
    { advice: ['Free some space, or write to a folder on a larger disk'] },
  )
}

async function requireNoFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined) // then there is nothing, or open() says what is wrong
  if (found?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' })
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
