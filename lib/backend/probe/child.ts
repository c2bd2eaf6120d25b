import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'
import { guarded } from '../../host/guard.ts'
import { killAtExit, killTree } from '../../host/kill-tree.ts'
import { notRunnable } from '../../host/node-program.ts'
import { isError, messageOf } from '../../kinds.ts'
import { outOfMemoryKills } from '../../out-of-memory-kills.ts'
import { Tail } from '../../tail.ts'
import { isBusy } from './busy.ts'
import { type ProbeExit, type ProbeOutcome, ProbeReader } from './protocol.ts'

/** What a trial runs in: Node, with the addon, or the program that is built beside it. */
export interface ProbeProgram {
  kind: 'node' | 'native'
  path: string
}

/** What a trial is made of. */
export interface ProbeRequest {
  /** Absolute path of the addon. */
  addon: string
  /** Absolute paths. */
  cpuModules: readonly string[]
  hipModule: string
  /** The GPU to try, or null for the first one. */
  pciId: string | null
  /** Of the child: as it will be here when HIP starts. */
  environment: NodeJS.ProcessEnv
  /** The limit of the trial as a whole. One stage may take half of it: the first call of rocBLAS reads and unpacks its kernels. */
  seconds: number
}

/** A trial that runs. */
export interface Trial {
  /** Never rejects. */
  outcome: Promise<ProbeOutcome>
  /** Whether this process stays alive for it. At first it does. */
  hold(on: boolean): void
}

const STDERR_BYTES = 4096
const DESCRIPTOR = 3
/** The form of what is written. In step with binding/backend/trial_program.cpp. */
const FORM = 'trial-1-'
const PROGRAM = `const [hello, addon, cpuModules, hipModule, pciId] = JSON.parse(process.argv.at(-1))
require('node:fs').writeSync(${DESCRIPTOR}, JSON.stringify({ hello }) + '\\n')
require(addon).probe(cpuModules, hipModule, pciId, ${DESCRIPTOR})`

/** Of Node itself: an inspector's port or a loader would be taken over by the child. */
const NOT_INHERITED = ['NODE_OPTIONS', 'NODE_CHANNEL_FD', 'NODE_V8_COVERAGE']

/** For the first words of the child. It starts in a twentieth of a second, and in a few on a busy machine or a slow disk. */
const HELLO_SECONDS = 15
const STRANGE = 'it answered something else'
/** For the last words of a process that has ended: another one can hold its pipes. */
const LAST_WORDS_MS = 1000
/** For the end of a process that was killed: in the driver's hands it may not end at all. */
const KILL_MS = 3000

/**
 * Runs the probe in a child process. The child is killed when it takes too long, and dies with this process. It has a session
 * of its own: what a terminal sends to this process and its children (Ctrl-C) is for this process to answer. What does not begin with
 * the token that it was given is not what was started, and is killed with all that it has started.
 * @param onStep is called with the name of each stage that begins
 */
export function startProbe(
  program: ProbeProgram,
  request: ProbeRequest,
  onStep: (stage: string) => void = () => {},
): Trial {
  const { seconds, environment } = request
  const token = `${FORM}${randomUUID()}`
  const reader = new ProbeReader({ token })
  const stderr = new Tail(STDERR_BYTES)
  const killsBefore = outOfMemoryKills()
  const finish = (exit: ProbeExit): ProbeOutcome => ({
    ...reader.result(),
    exit,
    stderr: stderr.text().trim(),
  })
  const child = start(program, token, request)
  if (isError(child)) return { outcome: Promise.resolve(finish(notStarted(child))), hold: () => {} }

  const lines = child.stdio[DESCRIPTOR] as Socket
  const timers: NodeJS.Timeout[] = []
  const letLive = child.pid === undefined ? () => {} : killAtExit(child.pid)
  const outcome = new Promise<ProbeOutcome>((resolve) => {
    let timeout: Extract<ProbeExit, { kind: 'timeout' | 'not the program' }> | undefined
    let ended = false
    const settle = (exit: ProbeExit) => {
      for (const timer of timers) clearTimeout(timer)
      letLive()
      for (const stream of [lines, child.stderr]) stream?.destroy()
      child.unref()
      resolve(finish(exit))
    }
    const kill = (of: 'stage' | 'trial', limit: number) => {
      if (ended || timeout !== undefined) return
      timeout = { kind: 'timeout', seconds: limit, of, busy: isBusy(environment.WHISPER_HIP_SYSROOT || '/') }
      child.kill('SIGKILL')
      timers.push(setTimeout(settle, KILL_MS, timeout))
    }
    const refuse = (problem: string) => {
      if (ended || timeout !== undefined) return
      timeout = { kind: 'not the program', problem, busy: isBusy(environment.WHISPER_HIP_SYSROOT || '/') }
      if (child.pid !== undefined) killTree(child.pid)
      timers.push(setTimeout(settle, KILL_MS, timeout))
    }
    // Where this process was stopped or busy itself, what the child has said waits behind the timer.
    const stageTimer = setTimeout(() => {
      const heard = reader.lines
      setImmediate(() => reader.greeted && reader.lines === heard && kill('stage', seconds / 2))
    }, seconds * 500)
    const wholeTimer = setTimeout(() => setImmediate(kill, 'trial', seconds), seconds * 1000)
    const helloSeconds = Math.min(HELLO_SECONDS, seconds / 2)
    const helloTimer = setTimeout(() => {
      setImmediate(() => reader.greeted || refuse(`it did not answer within ${helloSeconds} s`))
    }, helloSeconds * 1000)
    timers.push(stageTimer, wholeTimer, helloTimer)

    const decoder = new StringDecoder()
    lines.on('data', (chunk: Buffer) => {
      const heard = reader.push(decoder.write(chunk), onStep)
      if (reader.isStrange) refuse(STRANGE)
      if (reader.greeted) {
        clearTimeout(helloTimer)
        letLive()
      }
      if (heard && timeout === undefined) stageTimer.refresh()
    })
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
    for (const stream of [lines, child.stderr]) stream?.on('error', () => {}) // the exit tells what happened
    child.on('error', (error) => {
      if (child.pid === undefined) settle(notStarted(error))
    })
    child.on('exit', (code, signal) => {
      ended = true
      const exit: ProbeExit =
        signal === null
          ? { kind: 'code', code: code ?? 0 }
          : { kind: 'signal', signal, outOfMemory: outOfMemoryKills() > killsBefore }
      const last = () => {
        if (timeout !== undefined && signal === 'SIGKILL') return timeout
        if (exit.kind !== 'code' || reader.greeted) return exit
        const problem = reader.isStrange ? STRANGE : `it ended with code ${exit.code} and did not answer`
        return { kind: 'not the program', problem, busy: false } as const
      }
      timers.push(setTimeout(() => settle(last()), LAST_WORDS_MS))
      child.once('close', () => settle(last()))
    })
  })
  return {
    outcome,
    hold: (on) => {
      for (const handle of [child, lines, child.stderr as Socket | null, ...timers])
        if (on) handle?.ref()
        else handle?.unref()
    },
  }
}

function notStarted(error: Error): ProbeExit {
  const problem = notRunnable(error)
  return problem === null
    ? { kind: 'not started', problem: error.message }
    : { kind: 'not the program', problem, busy: false }
}

function start({ kind, path }: ProbeProgram, token: string, request: ProbeRequest): ChildProcess | Error {
  const { addon, cpuModules, hipModule, environment } = request
  const pciId = request.pciId ?? ''
  const env =
    kind === 'native' ? { ...environment } : guarded({ ...environment, ELECTRON_RUN_AS_NODE: '1' }, path)
  for (const name of NOT_INHERITED) delete env[name]
  // At this level HIP says which chip it has no code for.
  env.AMD_LOG_LEVEL ||= '1'
  const args =
    kind === 'native'
      ? [token, String(DESCRIPTOR), hipModule, pciId, ...cpuModules]
      : ['-e', PROGRAM, JSON.stringify([token, addon, cpuModules, hipModule, pciId])]
  try {
    return spawn(path, args, {
      env,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      detached: true,
      windowsHide: true,
    })
  } catch (error) {
    return isError(error) ? error : new Error(messageOf(error))
  }
}
