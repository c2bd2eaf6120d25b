import { performance } from 'node:perf_hooks'
import type { NativeHipDevice } from '../../native.ts'
import type { ProbeStage } from '../types.ts'

/** How the process of a trial ended. */
export type ProbeExit =
  | { kind: 'code'; code: number }
  /** `outOfMemory`: the kernel has killed a process for want of memory meanwhile. */
  | { kind: 'signal'; signal: string; outOfMemory?: boolean }
  /**
   * Killed after this many seconds: without a stage beginning or ending, or of the trial as a whole. `busy`: the machine was.
   */
  | { kind: 'timeout'; seconds: number; of: 'stage' | 'trial'; busy?: boolean }
  /** The process could not be started. */
  | { kind: 'not started'; problem: string }
  /** What was started, or would have been, is not the program that tries a GPU, or not the Node to run it in. `problem`: what it did. */
  | { kind: 'not the program'; problem: string; busy: boolean }

/** All that is known of a trial. */
export interface ProbeOutcome {
  stages: readonly ProbeStage[]
  /** What HIP showed, when it came so far. */
  devices: readonly NativeHipDevice[]
  exit: ProbeExit
  /** The end of what the process wrote to its standard error. */
  stderr: string
}

/**
 * Reads the lines of the probe as they come. The first one proves by a token that it is the probe that answers; before it nothing is
 * believed. After it, what is not a line of the probe is ignored: it is not its answer.
 */
export class ProbeReader {
  readonly #stages: ProbeStage[] = []
  readonly #now: () => number
  #devices: NativeHipDevice[] = []
  #lines = 0
  #begun: { name: string; at: number } | null = null
  #rest = ''
  readonly #hello: string
  #greeted = false
  #strange = false

  /** @param now milliseconds */
  constructor({ token, now = () => performance.now() }: { token: string; now?: () => number }) {
    this.#now = now
    this.#hello = JSON.stringify({ hello: token })
  }

  /** Whether it is the probe that answers. */
  get greeted(): boolean {
    return this.#greeted
  }

  /** Whether it is something else. */
  get isStrange(): boolean {
    return this.#strange
  }

  /**
   * @param onBegin is called with the name of each stage that begins
   * @returns whether the probe has begun, or a stage began or ended
   */
  push(text: string, onBegin: (stage: string) => void = () => {}): boolean {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines.filter((line) => this.#read(line, onBegin)).length > 0
  }

  /** How many lines have told that the probe has begun, or that a stage began or ended. */
  get lines(): number {
    return this.#lines
  }

  /** The stages so far; one that has begun and not ended is not ok. */
  result(): Pick<ProbeOutcome, 'stages' | 'devices'> {
    const open = this.#begun
    const last = open === null ? [] : [{ name: open.name, milliseconds: this.#now() - open.at, ok: false }]
    return { stages: [...this.#stages, ...last], devices: this.#devices }
  }

  #read(line: string, onBegin: (stage: string) => void): boolean {
    if (!this.#greeted) {
      this.#strange ||= line !== this.#hello
      this.#greeted = !this.#strange
      if (this.#greeted) this.#lines++
      return this.#greeted
    }
    const record = parse(line)
    if (record === null) return false
    this.#lines++
    if (record.event === 'begin') {
      this.#begun = { name: record.stage, at: this.#now() }
      onBegin(record.stage)
      return true
    }
    this.#begun = null
    const { stage, ok, milliseconds, error, weights, unsupported, problem, devices } = record
    this.#stages.push({
      name: stage,
      milliseconds: milliseconds ?? 0,
      ok: ok === true,
      ...(error === undefined ? {} : { error }),
      ...(weights === undefined ? {} : { weights }),
      ...(unsupported === true ? { unsupported } : {}),
      ...(problem === undefined ? {} : { problem }),
    })
    if (devices !== undefined) this.#devices = devices
    return true
  }
}

interface ProbeRecord {
  stage: string
  event: 'begin' | 'end'
  ok?: boolean
  milliseconds?: number
  error?: number | null
  weights?: string
  unsupported?: boolean
  problem?: string
  devices?: NativeHipDevice[]
}

function parse(line: string): ProbeRecord | null {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || !('stage' in value && 'event' in value)) return null
    return value as ProbeRecord
  } catch {
    return null
  }
}
