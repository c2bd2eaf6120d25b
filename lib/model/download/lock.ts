/**
 * A lock between processes, worker threads and containers that share a cache folder.
 *
 * The lock is a file that names its holder: process id, start time of that process (ids are reused), and the space in which the
 * id means anything (boot and pid namespace). While it works, the holder touches the file every {@link heartbeatMs}.
 * A lock is stale when its holder is known to be gone, or when a waiter has seen no touch for {@link staleMs} by its own clock
 * (a terminated worker of a living process, another machine). A stale lock is taken over.
 */

import { randomUUID } from 'node:crypto'
import { link, readFile, readlink, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import { clearInterval, setInterval } from 'node:timers'
import { errorCode, fileError } from './failure.ts'
import { pause } from './pause.ts'

const heartbeatMs = 2_000
const pollMs = 100

interface Holder {
  /** Unique to one acquisition. */
  token: string
  pid: number
  /** Start of the process in clock ticks since boot, from /proc. */
  started: string
  /** Boot id and pid namespace. */
  space: string
}

export interface LockOptions<T> {
  signal?: AbortSignal | undefined
  /** Looked at while waiting and once more after acquiring: the result, when someone else has produced it meanwhile. */
  ready: () => Promise<T | undefined>
  /** Milliseconds without a touch after which a lock counts as stale. Default 20,000. */
  staleMs?: number
}

/** Runs `work` while holding the lock file `path`, or returns what `ready` finds without running it. */
export async function withLock<T>(path: string, options: LockOptions<T>, work: () => Promise<T>): Promise<T> {
  const { signal, ready, staleMs = 20_000 } = options
  const mine = JSON.stringify(await describeSelf())
  const watch = new Watch(staleMs)
  while (!(await acquire(path, mine))) {
    const result = await ready()
    if (result !== undefined) return result
    const stale = await watch.staleToken(path)
    if (stale !== undefined) await displace(path, stale)
    else await pause(pollMs, signal)
  }
  const heartbeat = setInterval(() => void touch(path, mine), heartbeatMs)
  heartbeat.unref()
  try {
    return (await ready()) ?? (await work())
  } finally {
    clearInterval(heartbeat)
    if ((await readLock(path)) === mine) await rm(path, { force: true })
  }
}

async function acquire(path: string, content: string): Promise<boolean> {
  try {
    await writeFile(path, content, { flag: 'wx' })
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw fileError(error, 'create the lock file', path)
  }
}

/** Observes a lock that someone else holds. */
class Watch {
  private seen = ''
  private since = 0

  constructor(private readonly staleMs: number) {}

  /** The content of the lock when it is stale, else `undefined`. */
  async staleToken(path: string): Promise<string | undefined> {
    const content = await readLock(path)
    if (content === undefined) return undefined
    if (await isGone(content)) return content
    const touched = await stat(path).then(
      (stats) => stats.mtimeMs,
      () => 0,
    )
    const now = performance.now()
    const state = `${touched} ${content}`
    if (state !== this.seen) {
      this.seen = state
      this.since = now
    }
    return now - this.since >= this.staleMs ? content : undefined
  }
}

/** Moves a stale lock out of the way. The rename lets only one waiter win; a fresh lock caught by mistake is put back. */
async function displace(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
    if ((await readLock(aside)) !== stale) await link(aside, path)
  } catch (error) {
    const code = errorCode(error)
    if (code !== 'ENOENT' && code !== 'EEXIST') throw fileError(error, 'take over the lock file', path)
  } finally {
    await rm(aside, { force: true })
  }
}

async function touch(path: string, mine: string): Promise<void> {
  // Another content means that the lock was taken over: the digest check still guards what is published.
  if ((await readLock(path)) !== mine) return
  const now = new Date()
  await utimes(path, now, now).catch(() => undefined)
}

async function readLock(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}

/** Whether the holder is known to be dead; `false` when that cannot be told from here. */
async function isGone(content: string): Promise<boolean> {
  const holder = parseHolder(content)
  if (holder === undefined || holder.space !== (await processSpace())) return false
  const started = await startTime(holder.pid)
  return started === undefined ? !isRunning(holder.pid) : started !== holder.started
}

/** For processes whose /proc entry is hidden. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

function parseHolder(content: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(content)
    if (typeof value !== 'object' || value === null) return undefined
    const { token, pid, started, space } = value as Partial<Record<keyof Holder, unknown>>
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined
    if (typeof token !== 'string' || typeof started !== 'string' || typeof space !== 'string')
      return undefined
    return { token, pid, started, space }
  } catch {
    return undefined
  }
}

async function describeSelf(): Promise<Holder> {
  const started = (await startTime(process.pid)) ?? ''
  return { token: randomUUID(), pid: process.pid, started, space: await processSpace() }
}

async function processSpace(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '')
  return `${boot.trim()} ${namespace}`
}

/** Field 22 of /proc/PID/stat (proc(5)); `undefined` when there is no such process. The name before it may hold any character. */
async function startTime(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return line
    ?.slice(line.lastIndexOf(')') + 2)
    .split(' ')
    .at(19)
}
