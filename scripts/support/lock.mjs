// @ts-check
import { createHash } from 'node:crypto'
import { connect, createServer } from 'node:net'

/**
 * Runs `task` while no other process of this user holds the lock of the same folder. The lock is a Linux abstract
 * socket: it leaves no file and ends with its process, however that ends.
 * @template T
 * @param {string} folder
 * @param {() => void} onWait called once when another process holds the lock
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
export async function withLock(folder, onWait, task) {
  const hash = createHash('sha256').update(`${process.getuid?.()}:${folder}`).digest('hex')
  const name = `\0whisper-hip-${hash}`
  for (let waits = 0; ; waits++) {
    const release = await acquire(name)
    if (release) {
      try {
        return await task()
      } finally {
        await release()
      }
    }
    if (waits === 0) onWait()
    await holderEnds(name)
  }
}

/**
 * @param {string} name
 * @returns {Promise<(() => Promise<void>) | null>}
 */
function acquire(name) {
  return new Promise((resolve, reject) => {
    /** @type {Set<import('node:net').Socket>} */
    const waiters = new Set()
    const server = createServer((socket) => {
      waiters.add(socket)
      socket.on('error', () => {}).on('close', () => waiters.delete(socket))
    })
    server.once('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    )
    server.listen(name, () =>
      resolve(
        () =>
          new Promise((done) => {
            server.close(() => done())
            for (const socket of waiters) socket.destroy()
          }),
      ),
    )
  })
}

/**
 * Resolves when the holder's end of a connection closes.
 * @param {string} name
 * @returns {Promise<void>}
 */
function holderEnds(name) {
  return new Promise((resolve) => {
    const socket = connect(name)
    socket.on('error', () => {}).on('close', () => setTimeout(resolve, 50))
    socket.resume()
  })
}
