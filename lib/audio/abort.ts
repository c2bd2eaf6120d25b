import { setMaxListeners } from 'node:events'

/**
 * Calls `listener` once when the signal aborts; an aborted signal does not call it any more.
 *
 * One signal may rightly end many jobs, and each of them listens: the limit from which on Node warns of a leak is lifted.
 *
 * @returns stops listening
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  setMaxListeners(Number.POSITIVE_INFINITY, signal)
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}
