/** Files out of wheels, which are zip archives. */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { openPromise } from 'yauzl'
import { downloadError, fileError } from './failure.ts'

/** A member of an archive: `member` is its path inside. */
export interface Part {
  archive: string
  member: string
}

export interface JoinedFile {
  path: string
  bytes: number
  sha256: string
}

/** Writes `parts` one after the other to `target.path` and rejects with `ERR_DOWNLOAD` unless size and SHA-256 are the expected ones. */
export async function joinParts(
  parts: readonly Part[],
  target: JoinedFile,
  signal: AbortSignal | undefined,
): Promise<void> {
  const hash = createHash('sha256')
  const file = await openTarget(target.path)
  let written = 0
  try {
    for (const part of parts)
      for await (const chunk of readMember(part)) {
        signal?.throwIfAborted()
        written += chunk.length
        if (written > target.bytes)
          throw downloadError(`${target.path} grows beyond its ${target.bytes} bytes`)
        hash.update(chunk)
        await file.appendFile(chunk).catch((error: unknown) => {
          throw fileError(error, 'write', target.path)
        })
      }
    await file.sync()
  } finally {
    await file.close()
  }
  const digest = hash.digest('hex')
  if (written !== target.bytes || digest !== target.sha256)
    throw downloadError(
      `${target.path} has ${written} bytes and the SHA-256 ${digest} where the model has ${target.bytes} and ${target.sha256}`,
    )
}

async function openTarget(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w')
  } catch (error) {
    throw fileError(error, 'write', path)
  }
}

async function* readMember({ archive, member }: Part): AsyncGenerator<Buffer> {
  try {
    const zip = await openPromise(archive, { autoClose: false })
    try {
      for await (const entry of zip.eachEntry()) {
        if (entry.fileName !== member) continue
        yield* await zip.openReadStreamPromise(entry)
        return
      }
    } finally {
      zip.close()
    }
  } catch (error) {
    throw downloadError(`${archive} is not a readable wheel: ${(error as Error).message}`, error)
  }
  throw downloadError(`${archive} has no file ${member}`)
}
