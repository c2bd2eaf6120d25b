/**
 * A callback of the caller that may throw where nobody catches: its first error aborts a signal instead, and no call comes after the abort.
 * @param signal of the caller
 */
export function guardCallback<Value>(
  callback: ((value: Value) => void) | undefined,
  signal: AbortSignal | undefined,
): { call: (value: Value) => void; signal: AbortSignal } {
  const failed = new AbortController()
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal])
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
