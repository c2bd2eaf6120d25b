import { onAbort } from './abort.ts'
import type { NativeTask } from './native.ts'

/**
 * The result of a task of the addon, which is cancelled when the signal aborts.
 * @throws `signal.reason` for a task that fails after that; one that succeeds all the same resolves
 */
export async function finishTask<T>(task: NativeTask<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return task.result
  const forget = onAbort(signal, () => task.cancel())
  if (signal.aborted) task.cancel()
  try {
    return await task.result
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    forget()
  }
}
