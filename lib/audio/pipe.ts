import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describeSystemError, undecodable } from './failures.ts'

/** An open descriptor of this process, as shells name those of `<(…)`. */
const descriptorPath = /^\/(?:dev\/stdin$|(?:dev\/fd|proc\/(?:self|\d+)\/fd)\/\d+$)/

/** What a pipe holds at most, mostly. */
const pieceBytes = 65_536
/** Between two looks at a pipe that has nothing to read, in milliseconds. */
const pauseMs = 10

/** Whether a path names a descriptor of this process rather than something in a folder. */
export function isDescriptor(path: string): boolean {
  return descriptorPath.test(path)
}

/**
 * Reads a pipe to its end. A named one is waited for until somebody writes to it; no thread is held meanwhile, so that the abort of the
 * signal ends that at once.
 *
 * @param path absolute
 * @throws `ERR_AUDIO_DECODE` naming the path
 */
export async function* readPipe(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  // Opening a named pipe waits for its writer, and nothing ends that; reading without one is the end of the file.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause) => {
    throw undecodable(JSON.stringify(path), describeSystemError(cause), { cause })
  })
  try {
    let begun = isDescriptor(path)
    for (;;) {
      const bytes = Buffer.allocUnsafe(pieceBytes)
      const count = await file.read(bytes, 0, pieceBytes, null).then(
        ({ bytesRead }) => bytesRead,
        (cause) => {
          // Somebody writes, but not now.
          if (cause.code === 'EAGAIN') return undefined
          throw undecodable(JSON.stringify(path), describeSystemError(cause), { cause })
        },
      )
      if (count === 0 && begun) return
      if (count !== 0) begun = true
      if (count) yield bytes.subarray(0, count)
      else await sleep(pauseMs, undefined, { signal })
    }
  } finally {
    await file.close()
  }
}

/** A socket cannot be opened by its path: its descriptor is read. */
export function readSocket(path: string): AsyncIterable<Uint8Array> {
  const descriptor = Number(/\d+$/.exec(path)?.[0] ?? 0)
  return descriptor === 0 ? process.stdin : new Socket({ fd: descriptor, readable: true, writable: false })
}
