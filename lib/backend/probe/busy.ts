import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/** Share of a minute in which something waited, in percent, from which on a machine is busy. */
const PRESSURE = 30
/** Programs that want to run, for each processor. */
const LOAD = 1.5

/**
 * Whether the machine has been so busy for the last minute that a healthy GPU may have missed a limit: programs waited for a processor, for
 * the disk or for memory.
 * @param root the folder that stands for `/`
 */
export function isBusy(root = '/'): boolean {
  const pressures = ['cpu', 'io', 'memory'].flatMap((what) => pressureOf(read(root, `proc/pressure/${what}`)))
  if (pressures.length > 0) return Math.max(...pressures) >= PRESSURE
  // A kernel without pressure stall information
  return Number.parseFloat(read(root, 'proc/loadavg')) / availableParallelism() >= LOAD
}

function pressureOf(text: string): number[] {
  const share = /^some .*\bavg60=(\d+(?:\.\d+)?)/m.exec(text)?.[1]
  return share === undefined ? [] : [Number(share)]
}

function read(root: string, path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return ''
  }
}
