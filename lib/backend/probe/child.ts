import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { Pin } from '../preflight/visible-devices.ts'
import { type ProbeOutcome, ProbeReader } from './protocol.ts'

/** What a trial is made of. */
export interface ProbeRequest {
  /** Absolute path of the addon. */
  addon: string
  /** Absolute paths. */
  cpuModules: readonly string[]
  hipModule: string
  /** The GPU to try, or null for the first one. */
  pciId: string | null
  /** Variables that differ from those of this process, as they will here too when the GPU is used. */
  pin: Pin
}

/** Seconds that one stage may take: the first call of rocBLAS reads and unpacks its kernels. */
const STAGE_SECONDS = 30
const STDERR_BYTES = 4096
const DESCRIPTOR = 3
const PROGRAM = `const [addon, cpuModules, hipModule, pciId] = JSON.parse(process.argv[1])
require(addon).probe(cpuModules, hipModule, pciId, ${DESCRIPTOR})`

/** Of Node itself: an inspector's port or a loader would be taken over by the child. */
const NOT_INHERITED = ['NODE_OPTIONS', 'NODE_CHANNEL_FD', 'NODE_V8_COVERAGE']

/**
 * Runs the probe in a child process of Node. The child is killed when a stage takes too long, and dies with this process.
 * Never rejects.
 */
export function runProbe(request: ProbeRequest, stageSeconds = STAGE_SECONDS): Promise<ProbeOutcome> {
  const { addon, cpuModules, hipModule, pciId, pin } = request
  const reader = new ProbeReader()
  const stderr = new Tail(STDERR_BYTES)
  const finish = (exit: ProbeOutcome['exit']): ProbeOutcome => ({
    ...reader.result(),
    exit,
    stderr: stderr.text(),
  })
  return new Promise((resolve) => {
    let timedOut = false
    const child = start([addon, cpuModules, hipModule, pciId ?? ''], pin)
    if (typeof child === 'string') return resolve(finish({ kind: 'not started', problem: child }))
    const timer = setTimeout(() => {
      timedOut = true
      child.kill('SIGKILL')
    }, stageSeconds * 1000)
    const decoder = new StringDecoder()
    const lines = child.stdio[DESCRIPTOR] as Readable
    lines.on('data', (chunk: Buffer) => reader.push(decoder.write(chunk)) && timer.refresh())
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
    for (const stream of [lines, child.stderr]) stream?.on('error', () => {}) // the exit tells what happened
    child.on('error', (error) => {
      clearTimeout(timer)
      resolve(finish({ kind: 'not started', problem: error.message }))
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (timedOut) resolve(finish({ kind: 'timeout', seconds: stageSeconds }))
      else if (signal !== null) resolve(finish({ kind: 'signal', signal }))
      else resolve(finish({ kind: 'code', code: code ?? 0 }))
    })
  })
}

function start(input: readonly unknown[], pin: Pin) {
  const environment: NodeJS.ProcessEnv = { ...process.env, ELECTRON_RUN_AS_NODE: '1' }
  for (const [name, value] of Object.entries(pin)) {
    if (value === null) delete environment[name]
    else environment[name] = value
  }
  for (const name of NOT_INHERITED) delete environment[name]
  // At this level HIP says which chip it has no code for.
  environment.AMD_LOG_LEVEL ??= '1'
  try {
    return spawn(process.execPath, ['-e', PROGRAM, JSON.stringify(input)], {
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      windowsHide: true,
    })
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** The last bytes of a stream. */
class Tail {
  readonly #limit: number
  #bytes = Buffer.alloc(0)

  constructor(limit: number) {
    this.#limit = limit
  }

  push(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(-this.#limit)
  }

  text(): string {
    return this.#bytes.toString().trim()
  }
}
