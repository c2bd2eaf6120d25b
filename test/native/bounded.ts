import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'vitest'
import { collectGarbage } from './support.ts'

/** What reading a hostile file may cost. */
const SECONDS = 5
const BYTES = 64 << 20

/**
 * Insists that an act takes less than five seconds, on a slow machine, and 64 MiB more than what is there, at its worst moment. One that does not is tried again
 * after a garbage collection: another process may have had the processor, or a collection its turn in the middle.
 */
export async function bounded<T>(act: () => Promise<T>): Promise<T> {
  const first = await measured(act)
  if (first.seconds < SECONDS && first.bytes < BYTES) return first.result
  collectGarbage()
  const { result, seconds, bytes } = await measured(act)
  expect(seconds, 'seconds').toBeLessThan(SECONDS)
  expect(bytes, 'bytes of memory').toBeLessThan(BYTES)
  return result
}

async function measured<T>(act: () => Promise<T>): Promise<{ result: T; seconds: number; bytes: number }> {
  writeFileSync('/proc/self/clear_refs', '5')
  const before = highWaterMark()
  const since = performance.now()
  const result = await act()
  return { result, seconds: (performance.now() - since) / 1000, bytes: highWaterMark() - before }
}

/** The most memory that the process had since the last reset. */
function highWaterMark(): number {
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1])
}
