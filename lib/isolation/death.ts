import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { advise } from '../backend/preflight/advice.ts'
import type { BackendReason } from '../backend/types.ts'
import { WhisperHipError } from '../errors.ts'
import type { OutputTail } from './output-tail.ts'

/** How the process of a model ended. */
export interface Death {
  code: number | null
  signal: NodeJS.Signals | null
  /** What it wrote to its standard streams. */
  output: Pick<OutputTail, 'tail' | 'find'>
  /** Why this library killed it, as the end of a sentence. */
  killedBecause: string | undefined
}

/** What a process writes when it dies of the GPU. */
const gpuSigns: readonly [pattern: RegExp, reason: BackendReason][] = [
  [/memory access fault by gpu|hw exception by gpu|gpu hang|HSA_STATUS_ERROR_EXCEPTION/i, 'GPU_FAULT'],
  [/rocblas error: cannot read|could not initialize tensile/i, 'ROCBLAS_KERNELS_MISSING'],
  [
    /invalid device function|no kernel image is available|device kernel image is invalid/i,
    'NO_CODE_OBJECT_FOR_GPU',
  ],
  [/(hip|cuda)\w*malloc\w*.*out of memory|(rocm|hip) error: out of memory/i, 'OUT_OF_MEMORY'],
]

const memorySign = /out of memory|javascript oom|failed to allocate|bad_alloc|cannot allocate memory/i

/**
 * The error of a job whose process died.
 * @param name of the model
 * @param doing what it did, e.g. `while it transcribed`
 * @param killsBefore {@link outOfMemoryKills} when the job began
 */
export function deathError(name: string, doing: string, death: Death, killsBefore: number): WhisperHipError {
  const { signal, output, killedBecause } = death
  const killedByOther = signal === 'SIGKILL' && killedBecause === undefined
  const killedForMemory = killedByOther && outOfMemoryKills() > killsBefore
  const [pattern, reason] = gpuSigns.find(([sign]) => output.find(sign) !== undefined) ?? [memorySign]
  const line = output.find(pattern)
  const forMemory =
    killedForMemory || reason === 'OUT_OF_MEMORY' || (reason === undefined && line !== undefined)
  const why = killedBecause ?? (killedForMemory ? 'the kernel killed it because memory ran out' : line)
  const sentence = `The process of the model ${name} ${howItEnded(death)} ${doing}${why ? `: ${why}` : ''}`
  return new WhisperHipError(
    forMemory ? 'ERR_OUT_OF_MEMORY' : 'ERR_INTERNAL',
    withLastWords(sentence, output.tail),
    {
      ...(reason !== undefined && { reason }),
      advice: [
        ...(reason === undefined ? [] : advise(reason, new Set(), {})),
        ...(forMemory && reason === undefined ? ['Load a smaller model, or run fewer jobs at once'] : []),
        ...(killedByOther && !killedForMemory ? [askForTheKiller] : []),
        'The next job gets a new process; a job is never started again by itself',
      ],
    },
  )
}

const askForTheKiller = 'Look for what ended it: journalctl -k | grep -i "killed process"'

/** What the log says of a process that died while it had nothing to do. */
export function idleDeath(name: string, death: Death): string {
  const sentence = `The process of the model ${name} ${howItEnded(death)} while it was idle`
  return withLastWords(sentence, death.output.tail)
}

function withLastWords(sentence: string, tail: string): string {
  return tail === '' ? sentence : `${sentence}. Its last words:\n${tail}`
}

function howItEnded({ code, signal }: Death): string {
  if (signal !== null) return `was ended by ${signal} (signal ${constants.signals[signal]})`
  return `ended with exit code ${code}`
}

/** How many processes the kernel has killed for want of memory since it started. */
export function outOfMemoryKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? 0)
  } catch {
    return 0 // one sign less: the signal is told anyway
  }
}
