import { constants } from 'node:os'
import { generalAdvice } from '../backend/preflight/advice.ts'
import { reasonOfText } from '../backend/probe/judge.ts'
import { type ErrorCode, WhisperHipError } from '../errors.ts'
import { outOfMemoryKills } from '../out-of-memory-kills.ts'
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

/** For want of memory that is not the GPU's. */
const hostMemory = /javascript heap out of memory|javascript oom|bad_alloc|cannot allocate memory/i

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
  const hostLine = output.find((line) => hostMemory.test(line))
  const gpuLine = hostLine ? undefined : output.find((line) => reasonOfText(line) !== 'UNKNOWN')
  const reason = gpuLine === undefined ? undefined : reasonOfText(gpuLine)
  const forMemory = killedForMemory || hostLine !== undefined || reason === 'OUT_OF_MEMORY'
  const forKernel = killedForMemory ? 'the kernel killed it because memory ran out' : undefined
  const why = killedBecause ?? forKernel ?? hostLine ?? gpuLine
  const sentence = `The process of the model ${name} ${howItEnded(death)} ${doing}${why ? `: ${why}` : ''}`
  return new WhisperHipError(
    forMemory ? 'ERR_OUT_OF_MEMORY' : 'ERR_INTERNAL',
    withLastWords(sentence, output.tail),
    {
      ...(reason !== undefined && { reason }),
      advice: [
        ...(reason === undefined ? [] : generalAdvice(reason)),
        ...(forMemory && reason === undefined ? ['Load a smaller model, or run fewer jobs at once'] : []),
        ...(killedByOther && !killedForMemory ? [askForTheKiller] : []),
        newProcess,
      ],
    },
  )
}

const newProcess = 'The next job gets a new process; a job is never started again by itself'

/** The error of a job that cost its process the GPU, with what to do about it; `undefined` for any other. */
export function gpuLost(error: Error & { code?: unknown; reason?: unknown }): WhisperHipError | undefined {
  const { code, reason, message } = error
  if (reason !== 'CONTEXT_POISONED' && reason !== 'GPU_FAULT') return undefined
  return new WhisperHipError(code as ErrorCode, message, { reason, advice: [newProcess], cause: error })
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
