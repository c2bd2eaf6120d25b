import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { clearTimeout, setTimeout } from 'node:timers'
import { isBusy } from '../backend/probe/busy.ts'
import { rememberedVerdicts, rememberVerdict } from '../backend/probe/verdict-cache.ts'
import { warnOnce } from '../backend/warn.ts'
import type { WhisperHipError } from '../errors.ts'
import { killAtExit, killTree } from '../host/kill-tree.ts'
import { type NodeProgram, notNodeError, unmask } from '../host/node-program.ts'
import { attachLogSource, log, passOn } from '../log.ts'
import type { NativeTask } from '../native.ts'
import { outOfMemoryKills } from '../out-of-memory-kills.ts'
import { type Death, deathError, gpuLost, idleDeath } from './death.ts'
import { cannotStart, forkProgram } from './fork.ts'
import { Handshake } from './handshake.ts'
import type { SentBytes } from './memory-store.ts'
import { OutputTail } from './output-tail.ts'
import { unpackError } from './pack-error.ts'
import { cancelled, disposed, doing, type PendingJob } from './pending-job.ts'
import type { FromProcess, JobEvents, Request, ToProcess } from './protocol.ts'

/** How long things may take, in seconds. */
export interface Patience {
  /** For the proof that it is the process that was started. */
  hello?: number
  /** For a sign of life, or for the end of a job that was cancelled. What takes longer hangs. */
  answer: number
  /** From the wish that the process ends to its end: it frees the GPU. */
  end: number
}

const usualPatience: Patience = { answer: 30, end: 5 }

/** From the end of the process, or of the connection, to the other: somebody else can hold its standard streams. */
const lastWordsSeconds = 1

/**
 * A process that runs one model. It keeps the application's process alive while it has a job, and ends by itself when that
 * process does.
 */
export class ModelProcess {
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  #name: string
  readonly #node: NodeProgram
  readonly #patience: Patience
  readonly #handshake: Handshake
  readonly #child: ChildProcess
  readonly #jobs = new Map<number, PendingJob>()
  readonly #output = new OutputTail((line) => log('warn', line))
  readonly #forgetLog: () => void
  #lastJob = 0
  #state: 'running' | 'retired' | 'ending' | 'ended' = 'running'
  #killedBecause: string | undefined

  /**
   * @param name of the model, until it is loaded with another one
   * @param node to start it with
   * @param descriptor an open file with the model; `undefined` when the process opens it by its path
   * @throws {@link WhisperHipError} when no process can be started
   */
  constructor(name: string, node: NodeProgram, descriptor?: number, patience = usualPatience) {
    this.#name = name
    this.#node = node
    this.#patience = patience
    if (node.problem !== null) throw this.#notNode(node.problem)
    this.#handshake = new Handshake((because) => this.#kill(because), patience.hello)
    this.#child = forkProgram(node, this.#handshake.token, descriptor)
    this.ended = new Promise((resolve) => this.#watch(resolve))
    this.#forgetLog = attachLogSource({
      setLogSink: (sink) => this.#post({ type: 'listen', on: sink !== null }),
    })
    const known = rememberedVerdicts()
    if (known.length > 0) this.#post({ type: 'verdicts', known })
    this.#hold()
  }

  /** Whether it takes another job. */
  get running(): boolean {
    return this.#state === 'running'
  }

  /**
   * Begins a job. The result rejects with what it rejected with in the process, or with what ended the process.
   * @param store bytes that go ahead of the request
   */
  run<T>(request: Request, events: JobEvents = {}, store?: SentBytes): NativeTask<T> {
    const job = ++this.#lastJob
    if (request.type === 'load') this.#name = request.name
    const result = new Promise<unknown>((resolve, reject) => {
      const killsBefore = outOfMemoryKills()
      this.#jobs.set(job, { doing: doing[request.type], events, killsBefore, sent: false, resolve, reject })
    })
    this.#hold()
    this.#send(job, request, store).catch((error) => this.#settle(job)?.reject(error))
    return { result: result as Promise<T>, cancel: () => this.#cancel(job) }
  }

  /** Whether it is alive and well: a death is noticed a moment later. A process that hangs is ended. */
  async answers(): Promise<boolean> {
    const { result } = this.run({ type: 'ping' })
    this.#await(this.#jobs.get(this.#lastJob) as PendingJob, 'it gave no sign of life')
    return result.then(
      () => this.running,
      () => false,
    )
  }

  /** Takes no more jobs, and ends when it has none. */
  retire(): void {
    if (this.#state !== 'running') return
    this.#state = 'retired'
    if (this.#jobs.size === 0) void this.end()
  }

  /** Ends the process, now; its jobs reject with `ERR_DISPOSED`. Resolves when its memory is free. */
  end(): Promise<void> {
    if (this.#state === 'running' || this.#state === 'retired') {
      this.#state = 'ending'
      this.#hold()
      this.#post({ type: 'end' })
      // What has not answered yet has nothing to free, and may be anything.
      if (!this.#handshake.done) this.#killNow()
      const timer = setTimeout(() => this.#killNow(), this.#patience.end * 1000)
      void this.ended.then(() => clearTimeout(timer))
    }
    return this.ended
  }

  async #send(job: number, request: Request, store: SentBytes | undefined): Promise<void> {
    for (const bytes of store?.take() ?? []) {
      await new Promise<void>((resolve) => this.#post({ type: 'bytes', job, bytes }, resolve))
      if (!this.#jobs.has(job)) break
    }
    const pending = this.#jobs.get(job)
    if (pending !== undefined) pending.sent = true
    this.#post(pending === undefined ? { type: 'cancel', job } : { job, ...request })
  }

  #cancel(job: number): void {
    const pending = this.#jobs.get(job)
    if (pending === undefined || pending.timer !== undefined) return
    if (!pending.sent) {
      this.#settle(job)?.reject(cancelled())
      return
    }
    this.#post({ type: 'cancel', job })
    this.#await(pending, 'a job that was cancelled did not end')
  }

  #await(pending: PendingJob, otherwise: string): void {
    const { answer } = this.#patience
    pending.timer = setTimeout(() => this.#kill(`${otherwise} within ${answer} seconds`), answer * 1000)
  }

  #kill(because: string): void {
    this.#killedBecause ??= because
    this.#killNow()
  }

  /** What is not ours may have started anything. */
  #killNow(): void {
    const { pid } = this.#child
    if (this.#handshake.done || pid === undefined) this.#child.kill('SIGKILL')
    else if (this.#state !== 'ended') killTree(pid)
  }

  #notNode(problem: string): WhisperHipError {
    return notNodeError(this.#node, `to run the model ${this.#name} in`, problem)
  }

  /** Takes a job off the list. */
  #settle(job: number): PendingJob | undefined {
    const pending = this.#jobs.get(job)
    clearTimeout(pending?.timer)
    this.#jobs.delete(job)
    if (this.#jobs.size === 0 && this.#state === 'retired') void this.end()
    this.#hold()
    return pending
  }

  #receive(message: FromProcess): void {
    if (!this.#handshake.done) {
      this.#handshake.receive(message)
      return
    }
    switch (message.type) {
      case 'segments':
        this.#jobs.get(message.job)?.events.onSegments?.(message.segments)
        break
      case 'progress':
        this.#jobs.get(message.job)?.events.onProgress?.(message.progress)
        break
      case 'trial':
        this.#jobs.get(message.job)?.events.onTrial?.(message.progress)
        break
      case 'done':
        this.#settle(message.job)?.resolve(message.value)
        break
      case 'failed':
        this.#fail(message.job, unpackError(message.error))
        break
      case 'log':
        passOn(message.entry)
        break
      case 'verdict':
        rememberVerdict(message.name, message.outcome)
        break
      case 'warning':
        warnOnce(message.warning)
    }
  }

  #fail(job: number, error: Error): void {
    const lost = gpuLost(error)
    // The process lives, but the next job needs another one.
    if (lost !== undefined) this.retire()
    this.#settle(job)?.reject(lost ?? error)
  }

  #post(message: ToProcess, done: () => void = () => {}): void {
    this.#handshake.afterwards(() => {
      // What cannot be sent any more is answered by the end of the process.
      if (this.#child.connected) this.#child.send(message, done)
      else done()
    })
  }

  #watch(resolve: () => void): void {
    const child = this.#child
    let timer: NodeJS.Timeout | undefined
    const forget = child.pid === undefined ? () => {} : killAtExit(child.pid)
    this.#handshake.afterwards(forget)
    const finish = (errorOf: (job: PendingJob) => WhisperHipError) => {
      clearTimeout(timer)
      forget()
      this.#handshake.stop()
      child.removeAllListeners().on('error', () => {})
      child.stdout?.destroy()
      child.stderr?.destroy()
      if (child.connected) child.disconnect()
      this.#bury(errorOf)
      resolve()
    }
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#output.write(text))
    }
    child.on('message', (message) => this.#receive(message as FromProcess))
    child.on('error', (error) => {
      if (child.pid === undefined) finish(() => cannotStart(this.#node, error))
      else log('warn', `The process of the model ${this.#name}: ${error.message}`)
    })
    child.once('disconnect', () => {
      timer ??= setTimeout(() => this.#kill('it closed its connection'), lastWordsSeconds * 1000)
    })
    child.once('exit', (code, signal) => {
      const ending = this.#state === 'ending'
      this.#state = 'ended'
      const last = () => finish(ending ? () => disposed(this.#name) : this.#died(code, signal))
      clearTimeout(timer)
      timer = setTimeout(last, lastWordsSeconds * 1000)
      child.once('close', last)
    })
  }

  /** Nobody wanted this end: it is the error of each job, and a line of the log where there is none. */
  #died(code: number | null, signal: NodeJS.Signals | null): (job: PendingJob) => WhisperHipError {
    const death: Death = { code, signal, output: this.#output, killedBecause: this.#killedBecause }
    const problem = this.#handshake.problemAt(death)
    if (problem !== undefined) {
      // A busy machine may be what made it slow.
      if (!isBusy(process.env.WHISPER_HIP_SYSROOT || '/')) unmask(this.#node, problem)
      return () => this.#notNode(problem)
    }
    if ([...this.#jobs.values()].every((job) => job.doing === doing.ping))
      log('warn', idleDeath(this.#name, death))
    return (job) => deathError(this.#name, job.doing, death, job.killsBefore)
  }

  /** Settles what is left. */
  #bury(errorOf: (job: PendingJob) => WhisperHipError): void {
    this.#state = 'ended'
    this.#forgetLog()
    this.#output.end()
    for (const [job, pending] of [...this.#jobs]) {
      this.#settle(job)
      pending.reject(errorOf(pending))
    }
    this.#hold()
  }

  /** A process that works keeps this one alive; one that waits does not. */
  #hold(): void {
    const { stdout, stderr, channel } = this.#child
    const handles = [this.#child, channel, stdout as Socket | null, stderr as Socket | null]
    const busy = this.#jobs.size > 0 || this.#state === 'ending'
    for (const handle of handles) {
      if (busy) handle?.ref()
      else handle?.unref()
    }
  }
}
