import { type ChildProcess, spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../lib/backend/package-root.ts'
import type { BackendInfo, ModelBackend, RunStats } from '../../lib/index.ts'
import { buildSpeaking } from '../fixtures/speaking-model.ts'
import { healthyMachine, type MadeMachine } from '../fixtures/sysroot.ts'

/** A step of children/observe.cjs. */
export type Step = readonly [name: string, ...args: unknown[]]

/** An error or warning of the child. */
export interface Told {
  name: string
  code?: string
  reason?: string
  message: string
  advice?: readonly string[]
  detail?: string
}

/** What came of a step: a value or an error. */
export interface Came<T = unknown> {
  step: string
  value?: T
  error?: Told
  seconds: number
}

export interface Observation {
  came: readonly Came[]
  warnings: readonly Told[]
  /** Whether the program came to its end, whatever happened to the process after it. */
  finished: boolean
  code: number | null
  signal: NodeJS.Signals | null
  stderr: string
  seconds: number
}

/** What `transcribe` gives. */
export interface Run {
  text: string
  stats: RunStats
  tokens: number
}

const LIMIT = 100_000
/** Found from the package, since this file is bundled for bench/. */
const PROGRAM = join(packageRoot(), 'test/hip/children/observe.cjs')
const STUB_LIBRARIES = join(packageRoot(), 'build/test-hip/rocm/lib')

/** A machine, a module and a cache of their own, and processes that live there. Use it with `using`. */
export class Scene implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'whisper hip scene '))
  readonly machine: MadeMachine
  /** A made model that says "Hello there." in each window; its encoder takes no time. */
  readonly model = join(this.folder, 'small.bin')
  readonly #environment: Readonly<Record<string, string>>

  /** @param environment of all processes, e.g. `WHISPER_HIP_LIBRARY` */
  constructor(environment: Readonly<Record<string, string>>, machine = healthyMachine()) {
    this.machine = machine
    this.#environment = environment
    writeFileSync(this.model, smallModel())
  }

  /** A path in the scene's folder. */
  path(name: string): string {
    return join(this.folder, name)
  }

  /**
   * Runs a program of these steps.
   * @param whileItRuns is given the process, which then leads a group of its own
   */
  async observe(
    steps: readonly Step[],
    environment: Readonly<Record<string, string>> = {},
    whileItRuns?: (program: ChildProcess) => unknown,
  ): Promise<Observation> {
    const observations = this.path('observations') // the same for all: what differs in the environment counts for a verdict
    writeFileSync(observations, '')
    const start = performance.now()
    const child = spawn(
      'sh',
      ['-c', 'ulimit -c 0; exec "$0" "$@"', process.execPath, PROGRAM, JSON.stringify(steps)],
      {
        cwd: this.folder,
        detached: whileItRuns !== undefined,
        stdio: ['ignore', 'ignore', 'pipe'],
        env: {
          ...process.env,
          ENTRY: join(packageRoot(), 'dist/index.js'),
          OBSERVATIONS: observations,
          WHISPER_HIP_SYSROOT: this.machine.folder,
          WHISPER_HIP_CACHE: this.path('cache'),
          ...this.#environment,
          ...environment,
        },
      },
    )
    whileItRuns?.(child)
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT)
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (...ending) => resolve(ending))
    })
    clearTimeout(timer)
    const lines = readFileSync(observations, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
    return {
      came: lines.filter((line) => 'step' in line),
      warnings: lines.flatMap((line) => ('warning' in line ? [line.warning] : [])),
      finished: lines.some((line) => 'end' in line),
      code,
      signal,
      stderr,
      seconds: (performance.now() - start) / 1000,
    }
  }

  /** What `backendInfo()` answers. */
  async info(environment: Readonly<Record<string, string>> = {}): Promise<BackendInfo> {
    const { came, stderr } = await this.observe([['info']], environment)
    const info = came[0]?.value
    if (info === undefined) throw new Error(`backendInfo() gave no answer: ${stderr}`)
    return info as BackendInfo
  }

  /**
   * Makes the verdict of the trial a good one, as of a GPU that computes: for what the library does after it on a runtime that
   * computes nothing. The environment must be the one of the processes that are to believe it.
   */
  async trust(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.info(environment)
    const folder = this.path('cache/probe')
    for (const name of readdirSync(folder)) {
      const outcome = JSON.parse(readFileSync(join(folder, name), 'utf8'))
      const stages = outcome.stages.map(({ name }: { name: string }) => ({ name, milliseconds: 1, ok: true }))
      const good = { ...outcome, stages, exit: { kind: 'code', code: 0 }, stderr: '' }
      writeFileSync(join(folder, name), JSON.stringify(good))
    }
  }

  /** Numbers of the processes that loaded the double, by the trace that it wrote. */
  processesOf(trace: string): string[] {
    const path = this.path(trace)
    if (!existsSync(path)) return []
    const lines = readFileSync(path, 'utf8').split('\n')
    return [...new Set(lines.flatMap((line) => line.split(' ')[0] || []))]
  }

  /** What the last process that loaded the double reached, place by place, by the trace that it wrote. */
  traceOf(trace: string): string[] {
    const last = this.processesOf(trace).at(-1)
    const lines = readFileSync(this.path(trace), 'utf8').split('\n')
    return lines.flatMap((line) => (line.startsWith(`${last} `) ? line.slice(`${last} `.length) : []))
  }

  [Symbol.dispose](): void {
    this.machine.dispose()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

let small: Uint8Array | undefined

function smallModel(): Uint8Array {
  small ??= buildSpeaking({
    script: [{ text: ' Hello there.', start: 0, end: 3 }],
    audioContext: 64,
    layers: 1,
  })
  return small
}

/** The value of a step that has to have one. */
export function valueIn<T>({ came, stderr }: Observation, step: string, index = 0): T {
  const found = came.filter((entry) => entry.step === step)[index]
  if (found === undefined || found.error !== undefined)
    throw new Error(`No value of ${step}: ${JSON.stringify(found?.error ?? came)}\n${stderr}`)
  return found.value as T
}

/** The error of a step that has to have one. */
export function errorOf({ came, stderr }: Observation, step: string, index = 0): Told {
  const found = came.filter((entry) => entry.step === step)[index]
  if (found?.error === undefined)
    throw new Error(`No error of ${step}: ${JSON.stringify(found ?? came)}\n${stderr}`)
  return found.error
}

export const backendOf = (observation: Observation, index = 0) =>
  valueIn<ModelBackend>(observation, 'load', index)
export const runOf = (observation: Observation, index = 0) => valueIn<Run>(observation, 'transcribe', index)

/** The fastest way to a text. */
export const GREEDY = { language: 'en', beamSize: 1, temperature: 0 }

/** The real HIP module, of `WHISPER_HIP_LIBRARY` or of the build, on a machine whose ROCm is the stub. */
export function stubScene(machine = healthyMachine()): Scene {
  const library = '/opt/rocm-6.4.1/lib'
  for (const name of readdirSync(STUB_LIBRARIES)) {
    if (!name.includes('.so.')) continue
    rmSync(machine.path(`${library}/${name}`), { force: true })
    copyFileSync(join(STUB_LIBRARIES, name), machine.path(`${library}/${name}`))
  }
  return new Scene({ LD_LIBRARY_PATH: machine.path(library) }, machine)
}
