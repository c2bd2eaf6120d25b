import { AbortController, onAbort } from '../abort.ts'
import { captureCaller, toLibraryError } from '../backend/native-error.ts'
import { Callbacks } from '../guard-callback.ts'
import type { Segment, Transcription, TranscriptionResult } from './types.ts'

/** What a running job reports. Ignored once the transcription has settled. */
export interface JobEvents {
  onSegments(segments: readonly Segment[]): void
  /** 0..1 */
  onProgress(progress: number): void
}

/** A job that runs. */
export interface Job {
  readonly result: Promise<TranscriptionResult>
  cancel(): void
}

export interface TranscriptionSetup {
  /**
   * Begins the job: called once, in the next microtask, unless the transcription was cancelled before. `signal` aborts with the
   * transcription, to stop what happens before there is a job; a job that is there is cancelled by its `cancel`.
   */
  start(events: JobEvents, signal: AbortSignal): Job | Promise<Job>
  /** Each of them cancels the transcription with its reason. */
  signals?: readonly AbortSignal[]
  onProgress?: ((progress: number) => void) | undefined
  onSegment?: ((segment: Segment) => void) | undefined
}

/**
 * The one implementation of {@link Transcription}.
 *
 * Nothing in here may attach a handler to `#promise` except where the user observes it (`then`, or a read of an iterator): this is
 * what makes an unobserved failure an `unhandledRejection`, and an observed one not.
 */
export class TranscriptionJob implements Transcription {
  readonly #setup: TranscriptionSetup
  readonly #caller = captureCaller(TranscriptionJob)
  readonly #controller = new AbortController()
  readonly #segments: Segment[] = []
  readonly #promise: Promise<TranscriptionResult>
  #resolve!: (result: TranscriptionResult) => void
  #reject!: (error: unknown) => void
  readonly #forgetSignals: (() => void)[] = []
  readonly #callbacks = new Callbacks((error) => {
    this.#fail('failed', error)
    this.#controller.abort(error)
  })
  #state: 'running' | 'done' | 'failed' | 'cancelled' = 'running'
  #error: unknown
  #observed = false
  #progress = 0
  /** Readers that wait for the next segment or the end. */
  #waiting: (() => void)[] = []

  constructor(setup: TranscriptionSetup) {
    this.#setup = setup
    this.#promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    for (const signal of setup.signals ?? []) {
      if (signal.aborted) this.cancel(signal.reason)
      if (this.#state !== 'running') break
      this.#forgetSignals.push(onAbort(signal, () => this.cancel(signal.reason)))
    }
    void Promise.resolve().then(() => this.#run())
  }

  get progress(): number {
    return this.#progress
  }

  get [Symbol.toStringTag](): string {
    return 'Transcription'
  }

  cancel(reason?: unknown): void {
    if (this.#state !== 'running') return
    this.#controller.abort(reason)
    this.#fail('cancelled', this.#controller.signal.reason)
  }

  // biome-ignore lint/suspicious/noThenProperty: a Transcription is a promise
  then<A = TranscriptionResult, B = never>(
    onFulfilled?: ((value: TranscriptionResult) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#promise.then(onFulfilled, onRejected)
  }

  catch<B = never>(
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<TranscriptionResult | B> {
    return this.#promise.catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<TranscriptionResult> {
    return this.#promise.finally(onFinally)
  }

  [Symbol.asyncIterator](): AsyncIterator<Segment, undefined> {
    let position = 0
    let left = false
    return {
      next: async () => {
        this.#observe()
        const index = position++
        while (!left && this.#state === 'running' && index >= this.#segments.length) await this.#change()
        if (left) return { done: true, value: undefined }
        const segment = this.#segments[index]
        if (segment !== undefined && this.#state !== 'cancelled') return { done: false, value: segment }
        left = true
        if (this.#state === 'done') return { done: true, value: undefined }
        throw this.#error
      },
      return: async () => {
        if (!left) {
          left = true
          this.#observe()
          this.cancel()
          this.#wake()
        }
        return { done: true, value: undefined }
      },
    }
  }

  /** From here on a failure has an observer, the reader. */
  #observe(): void {
    if (!this.#observed) this.#promise.catch(() => {})
    this.#observed = true
  }

  async #run(): Promise<void> {
    if (this.#state !== 'running') return
    try {
      const events = { onSegments: this.#onSegments, onProgress: this.#onProgress }
      const job = await this.#setup.start(events, this.#controller.signal)
      // The abort that came while the job was being made has to reach it too.
      if (this.#controller.signal.aborted) job.cancel()
      else this.#controller.signal.addEventListener('abort', () => job.cancel(), { once: true })
      const result = await job.result
      this.#onProgress(1)
      await this.#callbacks.end()
      if (this.#state !== 'running') return
      this.#settle('done')
      this.#resolve(result)
    } catch (error) {
      this.#fail('failed', toLibraryError(error, this.#caller))
    }
  }

  readonly #onSegments = (segments: readonly Segment[]): void => {
    for (const segment of segments) {
      if (this.#state !== 'running') return
      this.#segments.push(segment)
      this.#wake()
      this.#callbacks.call(this.#setup.onSegment, segment)
    }
  }

  readonly #onProgress = (progress: number): void => {
    const grown = Math.min(progress, 1)
    if (this.#state !== 'running' || !(grown > this.#progress)) return
    this.#progress = grown
    this.#callbacks.call(this.#setup.onProgress, grown)
  }

  #fail(state: 'failed' | 'cancelled', error: unknown): void {
    if (this.#state !== 'running') return
    this.#error = error
    this.#settle(state)
    this.#reject(error)
  }

  #settle(state: 'done' | 'failed' | 'cancelled'): void {
    this.#state = state
    for (const forget of this.#forgetSignals) forget()
    this.#wake()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
