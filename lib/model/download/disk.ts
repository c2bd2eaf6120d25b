import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { downloadError, fileError, formatBytes } from './failure.ts'
import type { Settings } from './settings.ts'

/** Left free on top of what a download needs. */
const reserve = 32 << 20

/** Rejects with `ERR_DOWNLOAD` unless the file system of `folder` has room for `bytes` more. */
export async function ensureSpace(folder: string, bytes: number, settings: Settings): Promise<void> {
  const { blocks, bavail, bsize } = await settings.statfs(folder)
  const free = bavail * bsize
  // Some network and user-space file systems do not say how large they are.
  if (blocks === 0 || free >= bytes + reserve) return
  throw downloadError(
    `Not enough disk space in ${folder}: ${formatBytes(bytes + reserve)} needed, ${formatBytes(free)} free`,
    undefined,
    ['Free some space, or set WHISPER_HIP_CACHE to a folder on a larger disk.'],
  )
}

/** Makes `from` durable, moves it to `to` in one step, and makes the move durable. Works for a file and for a folder. */
export async function publish(from: string, to: string): Promise<void> {
  try {
    await sync(from)
    await rename(from, to)
    await sync(dirname(to))
  } catch (error) {
    throw fileError(error, 'move a finished download to', to)
  }
}

/** Flushes a file or a folder's entries to the disk. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Feeds a file to `hash` without holding it in memory; the SHA-256 of the file when no `hash` is given. */
export async function hashFile(
  path: string,
  signal?: AbortSignal,
  hash = createHash('sha256'),
): Promise<Hash> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted()
    hash.update(chunk as Buffer)
  }
  return hash
}
