import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'

/** Longest time that a parser holds the JS thread, in milliseconds (the library's limit is 20). */
const SLICE = 2

/**
 * Cuts long loops into slices, so that parsing never blocks the event loop, and notices an abort between them:
 *
 *     if (pacer.due) await pacer.turn()
 */
export class Pacer {
  #since = performance.now()
  readonly #signal: AbortSignal | undefined

  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  get due(): boolean {
    return performance.now() - this.#since > SLICE
  }

  /**
   * Lets the event loop run once.
   * @throws the signal's reason when it is aborted
   */
  async turn(): Promise<void> {
    await setImmediate()
    this.#signal?.throwIfAborted()
    this.#since = performance.now()
  }
}
