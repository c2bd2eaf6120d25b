import { randomUUID } from 'node:crypto'
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'
import type { Death } from './death.ts'
import { type Hello, protocolVersion } from './protocol.ts'

/** From the start of the process to its first message. Node starts in a tenth of a second, and in a few on a busy machine. */
const usualSeconds = 15

/**
 * Proves that a process is what was started: its first message repeats a token. Until then nothing is sent to it and nothing that it
 * says is believed, because it can be the application again, with listeners and messages of its own.
 */
export class Handshake {
  /** For the process, as its argument. */
  readonly token = randomUUID()
  readonly #kill: (because: string) => void
  readonly #timer: NodeJS.Timeout
  #waiting: (() => void)[] = []
  #state: 'waiting' | 'done' | 'failed' = 'waiting'
  #problem: string | undefined

  /** @param kill is called at most once, when it is not the process that was started */
  constructor(kill: (because: string) => void, seconds = usualSeconds) {
    this.#kill = kill
    // Where this process was stopped or busy itself, the message waits behind the timer.
    this.#timer = setTimeout(
      () => setImmediate(() => this.#refuse(`it did not answer within ${seconds} s`)),
      seconds * 1000,
    ).unref()
  }

  get done(): boolean {
    return this.#state === 'done'
  }

  /**
   * What a process that has ended did instead of being ours; `undefined` where it was, or nothing is known. A signal from outside says
   * nothing, nor do the words of a Node that cannot start.
   */
  problemAt({ code, signal, output }: Pick<Death, 'code' | 'signal' | 'output'>): string | undefined {
    if (this.done || this.#problem !== undefined) return this.#problem
    const has = (sign: RegExp) => output.find((line) => sign.test(line)) !== undefined
    const isNode = has(/^Node\.js v\d/) && !has(/HOST_NOT_NODE/)
    return signal === null && !isNode ? `it ended with code ${code} and did not answer` : undefined
  }

  /** Does something when it is done; never, if it fails. */
  afterwards(action: () => void): void {
    if (this.done) action()
    else if (this.#state === 'waiting') this.#waiting.push(action)
  }

  /** Takes the first message. */
  receive(message: unknown): void {
    if (this.#state !== 'waiting') return
    const { type, token, protocol } = (message ?? {}) as Partial<Hello>
    if (type !== 'hello' || token !== this.token) {
      this.#refuse('it answered something else')
      return
    }
    if (protocol !== protocolVersion) {
      this.#end('failed')
      this.#kill(
        'the package whisper-hip was replaced while this application ran, which has to be started again',
      )
      return
    }
    this.#end('done')
    for (const action of this.#waiting.splice(0)) action()
  }

  /** The process has ended. */
  stop(): void {
    if (this.#state === 'waiting') this.#end('failed')
  }

  #refuse(problem: string): void {
    if (this.#state !== 'waiting') return
    this.#problem = problem
    this.#end('failed')
    this.#kill(problem)
  }

  #end(state: 'done' | 'failed'): void {
    this.#state = state
    clearTimeout(this.#timer)
  }
}
