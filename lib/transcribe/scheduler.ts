import { onAbort } from '../abort.ts'
import type { NativeTask } from '../native.ts'

interface Waiting {
  rank: number
  begin(): void
}

/** The queue of a model: at most `concurrency` jobs run at once, the others wait in order of rank, then of arrival. */
export class Scheduler {
  readonly #concurrency: number
  readonly #queue = new Set<Waiting>()
  #running = 0

  /** @param concurrency at least 1 */
  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  /** Jobs that run now. */
  get running(): number {
    return this.#running
  }

  /** Jobs that wait for their turn. */
  get waiting(): number {
    return this.#queue.size
  }

  /**
   * Starts a task when it is its turn. Its place is free again when the result of the task has settled, however it did.
   *
   * @param start begins the task; called at most once
   * @param rank the least is next
   * @param signal takes the job out of the queue at once; a task that runs is its caller's to cancel
   * @returns the running task
   * @throws `signal.reason`, or what `start` throws
   */
  async start<T>(
    start: () => NativeTask<T> | Promise<NativeTask<T>>,
    signal: AbortSignal,
    rank = 0,
  ): Promise<NativeTask<T>> {
    signal.throwIfAborted()
    if (this.#running >= this.#concurrency) await this.#turn(signal, rank)
    else this.#running++
    try {
      signal.throwIfAborted()
      const task = await start()
      task.result.then(this.#release, this.#release)
      return task
    } catch (error) {
      this.#release()
      throw error
    }
  }

  /** Waits until {@link #release} hands a place over. */
  #turn(signal: AbortSignal, rank: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const forgetSignal = onAbort(signal, () => {
        this.#queue.delete(waiting)
        reject(signal.reason)
      })
      const waiting: Waiting = {
        rank,
        begin: () => {
          forgetSignal()
          resolve()
        },
      }
      this.#queue.add(waiting)
    })
  }

  /** Gives the place of a job that has ended to the next in line. */
  readonly #release = (): void => {
    let next: Waiting | undefined
    for (const waiting of this.#queue) {
      if (next === undefined || waiting.rank < next.rank) next = waiting
    }
    if (next === undefined) {
      this.#running--
      return
    }
    this.#queue.delete(next)
    next.begin()
  }
}
