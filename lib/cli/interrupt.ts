import { constants } from 'node:os'

/** A signal ended the command: the reason of the abort that cancels its work. */
export class Interrupted extends Error {
  /** As a shell gives it for a program that a signal ended. */
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') {
    super(`Interrupted by ${signal}`)
    this.exitCode = 128 + constants.signals[signal]
  }
}

/** Standard output cannot be written to any more. */
export class ClosedOutput extends Error {
  /** 0 when the reader has left (`| head`), which is no failure. */
  readonly exitCode: number

  constructor(cause: NodeJS.ErrnoException) {
    super('Standard output is closed', { cause })
    this.exitCode = cause.code === 'EPIPE' ? 0 : 1
  }
}

/** Settles as the work does, or rejects with the reason of the signal: for work that cannot be cancelled. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  return new Promise<T>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    work.then(resolve, reject)
  })
}
