import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { cannotWrite } from '../model/write-failure.ts'

/** `mkdir -p`. That of Node never comes back where a file system refuses new folders as if their parent were missing (`/proc`). */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeFolders(path)
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

async function makeFolders(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    const parent = dirname(resolve(path))
    if (code !== 'ENOENT' || existsSync(parent)) throw error
    await makeFolders(parent)
    await mkdir(path)
  }
}

/**
 * A file is there as a whole or not at all, also when the process is interrupted.
 * @throws WhisperHipError `ERR_WRITE` naming the path
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  // Short, whatever the name of the file: that may be as long as the file system takes.
  const unfinished = join(dirname(resolve(path)), `.whisper-hip-${randomBytes(4).toString('hex')}.partial`)
  try {
    await writeFile(unfinished, text)
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined)
    throw cannotWrite(path, error)
  }
}
