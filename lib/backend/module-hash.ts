import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { messageOf } from '../kinds.ts'

/** By path: what was read of a file that has not changed since. */
const known = new Map<string, { identity: string; problem: Promise<string | null> }>()

/**
 * Whether a file is the one that a build report names. It is read once in a process, a piece at a time.
 * @param path absolute
 * @param sha256 hexadecimal
 * @returns null, or what is wrong with it, to follow its path in a sentence
 */
export function hashProblem(path: string, sha256: string): Promise<string | null> {
  let identity: string
  try {
    const { dev, ino, size, mtimeMs } = statSync(path)
    identity = [dev, ino, size, mtimeMs, sha256].join()
  } catch (error) {
    return Promise.resolve(`cannot be read: ${messageOf(error)}`)
  }
  const earlier = known.get(path)
  if (earlier?.identity === identity) return earlier.problem
  const problem = compare(path, sha256)
  known.set(path, { identity, problem })
  return problem
}

async function compare(path: string, sha256: string): Promise<string | null> {
  const hash = createHash('sha256')
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece)
  } catch (error) {
    return `cannot be read: ${messageOf(error)}`
  }
  return hash.digest('hex') === sha256
    ? null
    : 'is not the file that its build report names (another SHA-256): it is damaged, or was replaced'
}
