import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkAttached } from '../check.ts'
import { WhisperHipError } from '../errors.ts'
import { isError, unshared } from '../kinds.ts'

/** Written between two looks at the signal, in bytes. */
const sliceBytes = 16 << 20

/**
 * Writes the bytes of a model into a temporary file, for the process to read whenever it starts. The file has no name any
 * more when it is written to, so that nothing is left behind, whatever happens to the process.
 *
 * @returns the open file, which the caller closes
 * @throws `ERR_INTERNAL` when there is no room; `ERR_INVALID_ARGUMENT` when the bytes are taken away meanwhile; the signal's reason
 */
export async function spoolModel(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<FileHandle> {
  checkAttached(bytes, 'model')
  const { length } = bytes
  let file: FileHandle | undefined
  try {
    file = await openNameless()
    for (let at = 0; at < length; at += sliceBytes) {
      signal?.throwIfAborted()
      if (bytes.length !== length) throw taken(length)
      await file.writeFile(unshared(bytes.subarray(at, at + sliceBytes)))
    }
    return file
  } catch (error) {
    await file?.close()
    throw isError(error) && 'syscall' in error ? noRoom(length, error) : error
  }
}

async function openNameless(): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'whisper-hip-'))
  try {
    return await open(join(folder, 'model'), 'wx+', 0o600)
  } finally {
    await rm(folder, { recursive: true })
  }
}

function taken(length: number): WhisperHipError {
  const message = `Expected the ${length} bytes of the model until they are read but they were transferred`
  return new WhisperHipError('ERR_INVALID_ARGUMENT', message)
}

function noRoom(length: number, cause: Error): WhisperHipError {
  const message = `The ${length} bytes of an isolated model need a temporary file in ${tmpdir()}: ${cause.message}`
  return new WhisperHipError('ERR_INTERNAL', message, {
    cause,
    advice: ['Pass the path of the model file', 'Set TMPDIR to a folder with room'],
  })
}
