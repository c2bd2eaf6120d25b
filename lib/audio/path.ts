import { constants, type Stats } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkString, invalidArgument } from '../check.ts'
import { isError } from '../kinds.ts'
import { describeSystemError, undecodable } from './failures.ts'
import { id3Length } from './mp3.ts'
import { isDescriptor, readPipe, readSocket } from './pipe.ts'
import { headLength, type Sniffed, sniff } from './sniff.ts'

/**
 * The absolute path that an argument names; `-` is standard input.
 * @throws `ERR_INVALID_ARGUMENT` for a URL that is not a file's
 */
export function toAudioPath(input: string | URL): string {
  if (input === '-') return '/dev/stdin'
  if (typeof input === 'string') return resolve(checkString(input, 'audio', 1, 65_536))
  try {
    return checkString(fileURLToPath(input.href), 'audio', 1, 65_536)
  } catch (cause) {
    const remote = /^https?:$/.test(input.protocol)
    throw invalidArgument('a path or file URL', 'audio', input.href, {
      cause,
      advice: remote ? [fetchIt] : [],
    })
  }
}

const fetchIt = 'Pass the stream of a download: (await fetch(url)).body'

/**
 * The bytes of what has no place to read from twice: a named pipe, or a descriptor of this process.
 * @param path absolute
 * @returns `undefined` for anything else, also for what is not there
 */
export async function openPipe(
  path: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const stats = await stat(path).catch(() => undefined)
  if (stats === undefined) return undefined
  if (stats.isFIFO() || (isDescriptor(path) && stats.isFile())) return readPipe(path, signal)
  return isDescriptor(path) && stats.isSocket() ? readSocket(path) : undefined
}

/**
 * Looks into an audio file.
 * @param path absolute
 * @throws `ERR_AUDIO_DECODE` naming the path and what is there if it is no readable, regular file with something in it
 */
export async function sniffFile(path: string, given: string): Promise<Sniffed> {
  const name = JSON.stringify(path)
  try {
    checkKind(await stat(path), name)
    // Should it have become a pipe in between, opening it must not wait for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      return await sniffOpenFile(file, name)
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (!(isError(cause) && 'syscall' in cause)) throw cause
    throw undecodable(name, describeSystemError(cause), { cause, advice: adviceFor(given) })
  }
}

async function sniffOpenFile(file: FileHandle, name: string): Promise<Sniffed> {
  checkKind(await file.stat(), name)
  const head = await readHead(file, 0)
  if (head.length === 0) throw undecodable(name, 'it is empty')
  const tag = id3Length(head)
  return tag === 0 ? sniff(head) : sniff(await readHead(file, tag), true)
}

async function readHead(file: FileHandle, position: number): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headLength), 0, headLength, position)
  return buffer.subarray(0, bytesRead)
}

function checkKind(stats: Stats, name: string): void {
  if (stats.isFile()) return
  const found = stats.isDirectory()
    ? 'a directory'
    : stats.isFIFO()
      ? 'a named pipe'
      : stats.isSocket()
        ? 'a socket'
        : 'a device'
  throw undecodable(name, `it is ${found}`)
}

function adviceFor(given: string): string[] {
  if (/^https?:\/\//i.test(given)) return [fetchIt]
  return /^file:\/\//i.test(given) ? ['Pass new URL(…) for a file URL; a string is a path'] : []
}
