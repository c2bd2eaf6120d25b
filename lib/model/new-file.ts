import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, open, opendir, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { WhisperHipError } from '../errors.ts'
import { endUnfinished, startUnfinished } from './unfinished-files.ts'
import { cannotWrite } from './write-failure.ts'

/** Left free beside the file. */
const RESERVE = 32 << 20
/** Milliseconds without a write after which an unfinished file is nobody's: who writes one was killed. */
const ABANDONED = 3_600_000

/**
 * A large file that is there as a whole or not at all: it is written beside its place, flushed to the disk, and moved there. What is unfinished
 * when the process ends is removed by it, or by a later one where it was killed.
 */
export class NewFile {
  /** As it was given, for messages. */
  readonly #name: string
  readonly #path: string
  readonly #partial: string
  readonly #handle: FileHandle

  private constructor(name: string, path: string, partial: string, handle: FileHandle) {
    this.#name = name
    this.#path = path
    this.#partial = partial
    this.#handle = handle
  }

  /**
   * @param path its folder must exist; what is there is replaced at the end
   * @param room tells how much room there is
   * @throws WhisperHipError `ERR_WRITE`, also when the disk has no room for `size` bytes
   */
  static async create(path: string, size: number, room: typeof roomOf = roomOf): Promise<NewFile> {
    const place = resolve(path)
    const folder = dirname(place)
    try {
      await removeAbandoned(folder, basename(place))
      await requireSpace(folder, size, room)
      await requireNoFolder(place)
      const partial = join(folder, partialName(basename(place), randomBytes(4).toString('hex')))
      startUnfinished(partial)
      try {
        return new NewFile(path, place, partial, await open(partial, 'wx+'))
      } catch (error) {
        endUnfinished(partial)
        throw error
      }
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
      throw cannotWrite(this.#name, error)
    }
  }

  /** Gives it its size, and its place. */
  async publish(size: number): Promise<void> {
    try {
      await this.#handle.truncate(size)
      await this.#handle.sync()
      await this.#handle.close()
      await rename(this.#partial, this.#path)
      endUnfinished(this.#partial)
      await syncFolder(dirname(this.#path))
    } catch (error) {
      throw cannotWrite(this.#name, error)
    }
  }

  /** Removes what was written; does nothing after {@link publish}. */
  async discard(): Promise<void> {
    await this.#handle.close()
    await rm(this.#partial, { force: true })
    endUnfinished(this.#partial)
  }
}

/** Short, whatever the name of the file: that may be as long as the file system takes. */
const partialName = (name: string, key: string) =>
  `.whisper-hip-${createHash('sha256').update(name).digest('hex').slice(0, 8)}.${key}.partial`

/** Removes the unfinished files of earlier processes that were killed. */
async function removeAbandoned(folder: string, name: string): Promise<void> {
  for await (const { name: entry } of await opendir(folder)) {
    const key = /\.([0-9a-f]{8})\.partial$/.exec(entry)?.[1]
    if (key === undefined || entry !== partialName(name, key)) continue
    const path = join(folder, entry)
    const found = await stat(path).catch(() => undefined) // then its writer has just finished
    if (found?.isFile() && Date.now() - found.mtimeMs > ABANDONED) await rm(path, { force: true })
  }
}

async function roomOf(folder: string): Promise<{ blocks: number; bavail: number; bsize: number }> {
  return await statfs(folder)
}

async function requireSpace(folder: string, size: number, room: typeof roomOf): Promise<void> {
  const { blocks, bavail, bsize } = await room(folder)
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
