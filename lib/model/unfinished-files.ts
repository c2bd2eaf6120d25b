import { rmSync } from 'node:fs'

/** What a terminal and a service manager end a process with. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Files that this thread writes and that are of no use until they are whole: they are removed when the process ends before that, by
 * `process.exit()`, an uncaught error or one of the {@link endings}.
 *
 * A signal that ends a process by default calls nobody. It is caught here only while nobody else listens to it, and ends the process all
 * the same: an application that listens decides itself what it means, and others that stand in as we do must not find us.
 */
const unfinished = new Set<string>()
const removers = new Map(endings.map((signal) => [signal as string, () => endBy(signal)]))

/** @param path absolute */
export function startUnfinished(path: string): void {
  unfinished.add(path)
  if (unfinished.size > 1) return
  process.on('exit', removeAll)
  for (const [signal, remove] of removers) {
    if (process.listenerCount(signal) === 0) process.on(signal, remove)
  }
  process.on('newListener', giveWay)
}

/** It has its place now, or has been removed. */
export function endUnfinished(path: string): void {
  unfinished.delete(path)
  if (unfinished.size > 0) return
  process.off('exit', removeAll)
  process.off('newListener', giveWay)
  for (const [signal, remove] of removers) process.off(signal, remove)
}

/** Afterwards: Node lets go of a signal when its last listener leaves, and the new one is not there yet. */
function giveWay(event: string | symbol): void {
  const remove = removers.get(String(event))
  if (remove !== undefined) void Promise.resolve().then(() => process.off(String(event), remove))
}

function removeAll(): void {
  for (const path of unfinished) {
    try {
      rmSync(path, { force: true })
    } catch {
      // Whoever writes to the folder next removes it.
    }
  }
}

function endBy(signal: NodeJS.Signals): void {
  removeAll()
  process.off(signal, removers.get(signal) as () => void)
  process.kill(process.pid, signal)
}
