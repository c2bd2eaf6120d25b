import type { NativeHipDevice } from '../../native.ts'
import type { ProbeStage } from '../types.ts'

/** All that is known of a trial. */
export interface ProbeOutcome {
  stages: readonly ProbeStage[]
  /** What HIP showed, when it came so far. */
  devices: readonly NativeHipDevice[]
  exit:
    | { kind: 'code'; code: number }
    | { kind: 'signal'; signal: string }
    /** Killed after this many seconds without a stage beginning or ending. */
    | { kind: 'timeout'; seconds: number }
    /** The process could not be started. */
    | { kind: 'not started'; problem: string }
  /** The end of what the process wrote to its standard error. */
  stderr: string
}

/** Reads the lines of the probe as they come. What is not a line of the probe is ignored: it is not its answer. */
export class ProbeReader {
  readonly #stages: ProbeStage[] = []
  readonly #now: () => number
  #devices: NativeHipDevice[] = []
  #begun: { name: string; at: number } | null = null
  #rest = ''

  /** @param now milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** @returns whether a stage began or ended */
  push(text: string): boolean {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines.filter((line) => this.#read(line)).length > 0
  }

  /** The stages so far; one that has begun and not ended is not ok. */
  result(): Pick<ProbeOutcome, 'stages' | 'devices'> {
    const open = this.#begun
    const last = open === null ? [] : [{ name: open.name, milliseconds: this.#now() - open.at, ok: false }]
    return { stages: [...this.#stages, ...last], devices: this.#devices }
  }

  #read(line: string): boolean {
    const record = parse(line)
    if (record === null) return false
    if (record.event === 'begin') {
      this.#begun = { name: record.stage, at: this.#now() }
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
