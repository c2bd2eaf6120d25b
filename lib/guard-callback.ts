import { setImmediate } from 'node:timers/promises'
import { AbortController, anySignal } from './abort.ts'
import { messageOf } from './kinds.ts'

/**
 * Calls a function of the caller where nobody catches.
 * @param failed gets what it throws, and what the promise that it returns rejects with
 * @returns that promise, when it returns one; it never rejects
 */
export function callBack<Value>(
  callback: ((value: Value) => unknown) | undefined,
  value: Value,
  failed: (error: unknown) => void,
): Promise<void> | undefined {
  try {
    const answer = callback?.(value) as Partial<PromiseLike<unknown>> | null | undefined
    if (typeof answer?.then !== 'function') return undefined
    return Promise.resolve(answer).then(() => {}, failed)
  } catch (error) {
    failed(error)
    return undefined
  }
}

/**
 * The functions of the caller that one piece of work calls: their first failure ends the work. A promise that they return is not waited for,
 * but one turn of the event loop at the end of the work lets it reject.
 */
export class Callbacks {
  readonly #failed: (error: unknown) => void
  #pending = 0
  #done = false

  /** @param failed ends the work; is not called after its end */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  call<Value>(callback: ((value: Value) => unknown) | undefined, value: Value): void {
    const promise = callBack(callback, value, (error) => {
      if (this.#done) warnOfLateFailure(error)
      else this.#failed(error)
    })
    if (promise === undefined) return
    this.#pending++
    void promise.then(() => this.#pending--)
  }

  /** The work has succeeded, unless `failed` is called until this resolves. */
  async end(): Promise<void> {
    if (this.#pending > 0) await setImmediate()
    this.#done = true
  }
}

/** A job that has resolved cannot fail any more, and the application need not end for it. */
function warnOfLateFailure(error: unknown): void {
  process.emitWarning(`A callback rejected after its job had ended: ${messageOf(error)}`, {
    type: 'WhisperHipWarning',
    code: 'WHISPER_HIP_CALLBACK',
  })
}

/** A callback that can fail, and the signal that tells. */
export interface GuardedCallback<Value> {
  call: (value: Value) => void
  /** Aborts with the reason of the caller's signal, or with the first failure of the callback. No call comes after that. */
  signal: AbortSignal
  /**
   * To be awaited when the work is done.
   * @throws the reason of `signal`
   */
  end(): Promise<void>
}

/** @param signal of the caller */
export function guardCallback<Value>(
  callback: ((value: Value) => unknown) | undefined,
  signal: AbortSignal | undefined,
): GuardedCallback<Value> {
  const failed = new AbortController()
  const either = anySignal(signal, failed.signal)
  const callbacks = new Callbacks((error) => failed.abort(error))
  return {
    signal: either,
    call(value) {
      if (!either.aborted) callbacks.call(callback, value)
    },
    async end() {
      await callbacks.end()
      either.throwIfAborted()
    },
  }
}
