import { readdirSync, readFileSync } from 'node:fs'

interface Listed {
  pid: number
  parent: number
  session: number
}

/**
 * Kills a child that is not what it should be, with all that it has started: a copy of the application starts programs of its own.
 * Each is stopped first, so that none starts another one or loses its parent meanwhile. Takes a few milliseconds.
 * @param pid of a child of this process that has not been waited for
 */
export function killTree(pid: number): void {
  const tree = new Set([pid])
  signal(pid, 'SIGSTOP')
  for (let grown = true; grown; ) {
    grown = false
    for (const { pid: other, parent, session } of processes()) {
      if (tree.has(other) || !(tree.has(parent) || session === pid)) continue
      tree.add(other)
      signal(other, 'SIGSTOP')
      grown = true
    }
  }
  for (const member of tree) signal(member, 'SIGKILL')
}

/** Kills the child with this process, as long as it has not proved what it is. @returns what takes that back */
export function killAtExit(pid: number): () => void {
  const kill = () => killTree(pid)
  process.once('exit', kill)
  return () => process.off('exit', kill)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended, or belongs to somebody else.
  }
}

/** What `/proc` shows; nothing where it shows nothing. */
function processes(): Listed[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (read(name) ?? []) : []))
  } catch {
    return []
  }
}

function read(name: string): Listed | null {
  try {
    // The name of the program may hold anything, brackets and spaces included.
    const [, parent, , session] = readFileSync(`/proc/${name}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')
    return { pid: Number(name), parent: Number(parent), session: Number(session) }
  } catch {
    return null
  }
}
