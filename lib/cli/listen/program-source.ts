import { type ChildProcess, spawn } from 'node:child_process'
import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers'
import { complaints, lastLines } from '../../audio/program-messages.ts'
import { timedSamples } from '../../audio/timed-samples.ts'
import { WhisperHipError } from '../../errors.ts'
import type { Warning } from '../../warnings.ts'
import type { CommandLine, Refusal } from './recorders.ts'
import type { Source } from './source.ts'

/** How long a program may take to end when it is asked to, in milliseconds. */
const patience = 1000

const mostMessageBytes = 4096

export interface ProgramJob extends CommandLine {
  /** Absolute, or looked up on the PATH. */
  program: string
  /** For messages: the program, or what it reads. */
  name: string
  /** Begins the sentence of a failure: "Cannot record with arecord". */
  failing: string
  /** It has no end of its own, so that any end is a failure. */
  endless: boolean
  advice: readonly string[]
  refusal?: Refusal | undefined
  /** It tells the times of its samples on its fourth descriptor, and they count from here, in frames. */
  timed?: { zero: number }
  /** What is to be told of it beside what it says. */
  warnings?: readonly Warning[]
}

/**
 * Runs a program that writes samples to its standard output. It is not in the process group of this one: Ctrl-C on the terminal
 * does not reach it, so that it is asked to end and its last samples are not lost.
 * @throws what `spawn` throws when it cannot be started
 */
export async function startProgram(job: ProgramJob): Promise<Source> {
  const child = spawn(job.program, job.args, {
    stdio: ['ignore', 'pipe', 'pipe', job.timed === undefined ? 'ignore' : 'pipe'],
    detached: true,
    env: { ...process.env, ...job.env },
  })
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  return new Program(child, job)
}

class Program implements Source {
  readonly name: string
  readonly samples: Readable
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  readonly #job: ProgramJob
  #messages = Buffer.alloc(0)
  #refused = false
  #stopped = false

  constructor(child: ChildProcess, job: ProgramJob) {
    this.name = job.name
    const output = child.stdout as Readable
    this.samples =
      job.timed === undefined
        ? output
        : Readable.from(timedSamples(output, child.stdio[3] as Readable, job.timed.zero), {
            objectMode: false,
          })
    this.#child = child
    this.#job = job
    const kill = () => void child.kill('SIGKILL')
    process.once('exit', kill)
    const { stderr } = child
    stderr?.on('data', (chunk: Buffer) => this.#hear(chunk))
    this.ended = new Promise((resolve, reject) => {
      child.once('close', (code, signal) => {
        process.off('exit', kill)
        if (this.#refused) reject(this.#failure('it cannot record so', [job.refusal?.advice ?? '']))
        else if (this.#stopped || (code === 0 && !job.endless)) resolve()
        else
          reject(
            this.#failure(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`),
          )
      })
    })
    // It may fail before anybody waits for it.
    this.ended.catch(() => {})
  }

  get warnings(): readonly Warning[] {
    const { warnings = [], timed } = this.#job
    const said = lastLines(complaints(withoutPasswords(this.#messages.toString('utf8'))))
    if (timed === undefined || said === '') return warnings
    return [
      ...warnings,
      { code: 'AUDIO_DAMAGED', message: `ffmpeg could not decode all of the recording: ${said}` },
    ]
  }

  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#child.kill('SIGTERM')
    setTimeout(() => this.#child.kill('SIGKILL'), patience).unref()
  }

  close(): void {
    this.#stopped = true
    this.#child.kill('SIGKILL')
    this.samples.destroy()
    this.#child.stdout?.destroy()
    ;(this.#child.stdio[3] as Readable | null)?.destroy()
  }

  #hear(chunk: Buffer): void {
    this.#messages = Buffer.concat([this.#messages, chunk]).subarray(-mostMessageBytes)
    if (this.#job.refusal?.said.test(this.#messages.toString('latin1')) !== true) return
    this.#refused = true
    this.#child.kill('SIGKILL')
  }

  #failure(problem: string, advice = this.#job.advice): WhisperHipError {
    const said = lastLines(withoutPasswords(this.#messages.toString('utf8')))
    const message = `${this.#job.failing}: ${problem}${said === '' ? '' : `: ${said}`}`
    return new WhisperHipError('ERR_AUDIO_DECODE', message, { advice })
  }
}

/** Addresses as they may be shown: without what comes before the host. */
export function withoutPasswords(text: string): string {
  return text.replace(/(\w:\/\/)[^/\s@]*@/g, '$1')
}
