import { constants } from 'node:fs'
import { access, open, rm, stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { cannotWrite } from './write-failure.ts'

/**
 * Finds out before long work whether its result can be written. A new name is tried, for what a file system takes, only it knows.
 *
 * @param bytes that there must be room for
 * @throws WhisperHipError `ERR_WRITE` naming the path
 */
export async function requireWritable(path: string, bytes = 0): Promise<void> {
  try {
    const place = resolve(path)
    const found = await stat(place).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (found?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' })
    if (found === undefined) await tryName(place)
    else await access(dirname(place), constants.W_OK | constants.X_OK)
    const { blocks, bavail, bsize } = await statfs(dirname(place))
    // Some network and user-space file systems do not say how large they are.
    if (blocks > 0 && bavail * bsize < bytes) throw Object.assign(new Error(), { code: 'ENOSPC' })
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

async function tryName(place: string): Promise<void> {
  const file = await open(place, 'wx')
  await file.close()
  await rm(place, { force: true })
}
