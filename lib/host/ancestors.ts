import { readFileSync } from 'node:fs'

/** Above it nobody looks. */
const LEVELS = 64

/**
 * How many of the processes above one have its command line: more than a program that forks itself once has them are copies, each
 * started by the one before, whose environment something has cleaned. 0 where `/proc` tells nothing.
 */
export function sameCommandsAbove(pid: number = process.pid): number {
  try {
    const command = commandOf(pid)
    let same = 0
    let above = parentOf(pid)
    for (let level = 0; above > 1 && level < LEVELS; level++) {
      if (commandOf(above) === command) same++
      above = parentOf(above)
    }
    return same
  } catch {
    return 0
  }
}

const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'latin1')

/** The name of the program, which stands before it, may hold anything. */
const parentOf = (pid: number) =>
  Number(
    readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')[1],
  )
