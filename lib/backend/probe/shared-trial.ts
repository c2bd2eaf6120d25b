import { unlessAborted } from '../../unless-aborted.ts'
import type { ProbeOutcome } from './protocol.ts'
import { startTrial, type TrialRequest } from './trial.ts'

/** Who waits for a trial. */
export interface Waiting {
  /** Is called with the name of each stage that begins, at first with the one that runs. */
  onStep?: ((stage: string) => void) | undefined
  /** Ends the waiting. The trial goes on, for its answer, but does not keep the process alive when nobody waits. */
  signal?: AbortSignal | undefined
}

/** A trial for which several can wait: models that load at once share one. */
export class SharedTrial<Answer> {
  readonly #answer: Promise<Answer>
  readonly #hold: (on: boolean) => void
  readonly #waiting = new Set<Waiting>()
  #step = 'start'

  /** @param conclude makes an answer of the outcome */
  constructor(request: TrialRequest, conclude: (outcome: ProbeOutcome) => Promise<Answer>) {
    const { outcome, hold } = startTrial(request, (step) => {
      this.#step = step
      for (const { onStep } of this.#waiting) onStep?.(step)
    })
    this.#answer = outcome.then(conclude)
    this.#hold = hold
  }

  /** @throws `signal.reason` */
  async wait(waiting: Waiting): Promise<Answer> {
    this.#waiting.add(waiting)
    this.#hold(true)
    waiting.onStep?.(this.#step)
    try {
      return await unlessAborted(this.#answer, waiting.signal)
    } finally {
      this.#waiting.delete(waiting)
      if (this.#waiting.size === 0) this.#hold(false)
    }
  }
}
