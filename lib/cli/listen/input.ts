import { fstatSync } from 'node:fs'
import { nearest } from '../../nearest.ts'
import type { StreamOptions } from '../../stream/types.ts'
import { UsageError } from '../failures.ts'
import { type Media, mediaFormat, mediaOf } from './media.ts'
import { type RecorderName, recorderNames } from './recorders.ts'

/** What to listen to. */
export type Input =
  | { kind: 'stdin' }
  | { kind: 'microphone'; program: RecorderName | undefined; device: string | undefined }
  | { kind: 'media'; media: Media; realtime: boolean }

/** Flags that choose an input, or belong to one. */
export interface InputFlags {
  source?: string
  microphone?: string
  realtime?: true
  rate?: string
  channels?: string
  format?: string
  track?: unknown
}

/** Standard input, as far as it is looked at. */
export interface Stdin {
  isTTY?: boolean
  /** A pipe, socket or file: something that was put there on purpose. */
  isPiped: boolean
}

/** What standard input of this process is. */
export function lookAtStdin(): Stdin {
  try {
    const stats = fstatSync(0)
    return { isTTY: process.stdin.isTTY, isPiped: stats.isFIFO() || stats.isSocket() || stats.isFile() }
  } catch {
    // It is closed.
    return { isPiped: false }
  }
}

/**
 * Decides what to listen to: what is named, else what is piped, else the microphone.
 * @throws {@link UsageError} for flags of another input
 */
export function chooseInput(named: string | undefined, flags: InputFlags, stdin: Stdin): Input {
  const { source, microphone: device, realtime } = flags
  const records = source !== undefined || device !== undefined
  const input: Input =
    named === '-' || (named === undefined && stdin.isPiped && !records)
      ? { kind: 'stdin' }
      : named === undefined
        ? { kind: 'microphone', program: recorderNamed(source), device }
        : { kind: 'media', media: mediaOf(named), realtime: realtime === true }
  if (input.kind === 'stdin' && stdin.isTTY)
    throw new UsageError('Standard input (-) is a terminal, not a recording')
  refuse(flags, ['source', 'microphone'], 'a microphone', input.kind === 'microphone')
  refuse(flags, ['rate', 'channels'], 'raw samples and microphones', input.kind !== 'media')
  refuse(flags, ['format'], 'raw samples on standard input', input.kind === 'stdin')
  refuse(flags, ['track'], 'recordings and addresses', input.kind === 'media')
  refuse(flags, ['realtime'], 'recordings', input.kind === 'media' && !input.media.live)
  return input
}

function refuse(flags: InputFlags, names: (keyof InputFlags)[], what: string, allowed: boolean): void {
  const name = allowed ? undefined : names.find((name) => flags[name] !== undefined)
  if (name !== undefined) throw new UsageError(`--${name} is for ${what}, which this is not`)
}

function recorderNamed(name: string | undefined): RecorderName | undefined {
  if (name === undefined) return undefined
  const recorder = recorderNames.find((known) => known === name)
  if (recorder !== undefined) return recorder
  const near = nearest(name, recorderNames)
  throw new UsageError(
    `Expected ${recorderNames.join(', ')} for --source but received ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${near}?`}`,
  )
}

/** How the samples of an input are written; `options` are checked. */
export function sampleFormat(
  input: Input,
  { sampleRate = 16_000, channels = 1, format = 's16le' }: StreamOptions,
): Required<Pick<StreamOptions, 'sampleRate' | 'channels' | 'format'>> {
  return input.kind === 'media' ? mediaFormat : { sampleRate, channels, format }
}
