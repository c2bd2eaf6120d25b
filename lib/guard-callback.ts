import { AbortController, anySignal } from './abort.ts'
/**
 * A callback of the caller that may throw where nobody catches: its first error aborts a signal instead, and no call comes after the abort.
 * @param signal of the caller
 */
export function guardCallback<Value>(
  callback: ((value: Value) => void) | undefined,
  signal: AbortSignal | undefined,
): { call: (value: Value) => void; signal: AbortSignal } {
  const failed = new AbortController()
  const either = anySignal(signal, failed.signal)
  const call = (value: Value) => {
    if (either.aborted) return
    try {
      callback?.(value)
    } catch (error) {
      failed.abort(error)
    }
  }
  return { call, signal: either }
}
