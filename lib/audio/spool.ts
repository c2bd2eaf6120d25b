import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ByteReader } from './bytes.ts'
import { describeSystemError, undecodable } from './failures.ts'

/**
 * Writes bytes into a temporary file, for a format that cannot be read from a pipe. The file has no name any more when it
 * is written to, so that nothing is left behind, whatever happens to the process.
 *
 * @param name the audio in messages
 * @returns the open file, which the caller closes
 */
export async function spool(bytes: ByteReader, name: string): Promise<FileHandle> {
  const file = await openNameless(name)
  try {
    for (let chunk = await bytes.next(); chunk !== undefined; chunk = await bytes.next()) {
      await write(file, chunk, name)
    }
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

async function openNameless(name: string): Promise<FileHandle> {
  try {
    const folder = await mkdtemp(join(tmpdir(), 'whisper-hip-'))
    try {
      return await open(join(folder, 'audio'), 'wx+', 0o600)
    } finally {
      await rm(folder, { recursive: true })
    }
  } catch (cause) {
    throw noRoom(name, cause)
  }
}

async function write(file: FileHandle, chunk: Uint8Array, name: string): Promise<void> {
  try {
    await file.writeFile(chunk)
  } catch (cause) {
    throw noRoom(name, cause)
  }
}

function noRoom(name: string, cause: unknown) {
  return undecodable(
    name,
    `its format needs a temporary file in ${tmpdir()}: ${describeSystemError(cause)}`,
    { cause },
  )
}
