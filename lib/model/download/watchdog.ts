import { clearTimeout, setTimeout } from 'node:timers'
import { AbortController, anySignal } from '../../abort.ts'
import { Interruption } from './request.ts'

/** Ends a transfer that brings nothing for a while, and passes the caller's abort on. */
export class Watchdog {
  /** Aborts with the caller's reason, or with an {@link Interruption} after `stallMs` of silence. */
  readonly signal: AbortSignal
  private readonly controller = new AbortController()
  private readonly timer: NodeJS.Timeout

  constructor(stallMs: number, outer: AbortSignal | undefined, shown: string) {
    this.signal = anySignal(outer, this.controller.signal)
    const silence = new Interruption(`${shown} sent nothing for ${stallMs / 1000} s`, 'after progress')
    this.timer = setTimeout(() => this.controller.abort(silence), stallMs)
  }

  /** Something arrived. */
  feed(): void {
    this.timer.refresh()
  }

  stop(): void {
    clearTimeout(this.timer)
  }
}
