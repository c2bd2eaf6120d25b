import { setTimeout as sleep } from 'node:timers/promises'

/** Waits; rejects with the reason of the signal when that aborts. */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal ? { signal } : {})
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
