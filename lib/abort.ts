import { setMaxListeners } from 'node:events'
import * as util from 'node:util'

/**
 * Cancellation by Node's own classes. The globals may be jsdom's (in test runners), which Node's timers, streams and listeners do not take:
 * only {@link toNodeSignal} lets a signal of the caller in.
 */

/** Node's own class, which no one can replace. (A runtime that lacks the function has one class.) */
export const AbortController: typeof globalThis.AbortController =
  (util.transferableAbortController?.().constructor as typeof globalThis.AbortController | undefined) ??
  globalThis.AbortController

const NodeSignal = new AbortController().signal.constructor as typeof globalThis.AbortSignal

/** Aborts with the first of signals of Node that does; those that are undefined do not count. */
export function anySignal(...signals: (AbortSignal | undefined)[]): AbortSignal {
  return NodeSignal.any(signals.filter((signal) => signal !== undefined))
}

/** Aborts after a time, in milliseconds. */
export function timeoutSignal(milliseconds: number): AbortSignal {
  return NodeSignal.timeout(milliseconds)
}

/** Foreign signals and what follows them: one listener for each signal, however many jobs it is for. */
const followers = new WeakMap<object, InstanceType<typeof AbortController>>()

/** A signal of Node that aborts when this one does, with its reason: itself where it is Node's. */
export function toNodeSignal(signal: AbortSignal): AbortSignal {
  if (Object.getPrototypeOf(signal) === NodeSignal.prototype) return signal
  let follower = followers.get(signal)
  if (follower === undefined) {
    const made = new AbortController()
    follower = made
    followers.set(signal, made)
    signal.addEventListener('abort', () => made.abort(signal.reason), { once: true })
  }
  if (signal.aborted) follower.abort(signal.reason)
  return follower.signal
}

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
