import { basename, extname, join, resolve } from 'node:path'
import { nearest } from '../nearest.ts'
import { outputFormats } from '../output/formats.ts'
import type { OutputFormat } from '../output/types.ts'
import { UsageError } from './failures.ts'

/** Stands for standard input among the recordings. */
export const STDIN = '-'

/** A recording and where its transcription goes. */
export interface PlannedOutput {
  /** A path, or {@link STDIN}. */
  input: string
  /** Files to write; empty for standard output. */
  files: readonly { path: string; format: OutputFormat }[]
}

/** What is to be written where. */
export interface OutputPlan {
  /** The format on standard output, or null where files are written. */
  stdout: OutputFormat | null
  outputs: readonly PlannedOutput[]
}

/**
 * Decides before anything is computed which files come about.
 * @param formats names as given; none: `txt`
 * @param folder of the files; undefined: standard output
 * @throws {@link UsageError} for an unknown format, for a file that two recordings would write or that is one, and for what one
 * standard output cannot hold
 */
export function planOutputs(
  inputs: readonly string[],
  formats: readonly string[],
  folder: string | undefined,
): OutputPlan {
  const wanted = [...new Set(formats.map(checkFormat))]
  if (wanted.length === 0) wanted.push('txt')
  if (inputs.filter((input) => input === STDIN).length > 1)
    throw new UsageError('Standard input (-) can be read once only')
  if (folder === undefined) return toStdout(inputs, wanted)

  const writers = new Map<string, string>()
  const outputs = inputs.map((input) => ({
    input,
    files: wanted.map((format) => {
      const path = join(folder, `${stem(input)}.${format}`)
      const other = writers.get(path)
      if (other !== undefined) {
        throw new UsageError(`${other} and ${input} would both be written to ${path}`, [
          'Transcribe them in two commands with different folders',
        ])
      }
      if (inputs.some((recording) => recording !== STDIN && resolve(recording) === resolve(path)))
        throw new UsageError(`The transcription of ${input} would replace the recording ${path}`)
      writers.set(path, input)
      return { path, format }
    }),
  }))
  return { stdout: null, outputs }
}

function toStdout(inputs: readonly string[], [format = 'txt', ...more]: readonly OutputFormat[]): OutputPlan {
  const advice = ['Name a folder for the files with --output DIR']
  if (more.length > 0)
    throw new UsageError('Several formats cannot be written to one standard output', advice)
  if (inputs.length > 1 && format !== 'txt') {
    throw new UsageError(`Several recordings as ${format} cannot be written to one standard output`, advice)
  }
  return { stdout: format, outputs: inputs.map((input) => ({ input, files: [] })) }
}

function checkFormat(name: string): OutputFormat {
  const format = outputFormats.find((known) => known === name)
  if (format !== undefined) return format
  const near = nearest(name, outputFormats)
  throw new UsageError(
    `Expected ${outputFormats.join(', ')} for --format but received ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${near}?`}`,
  )
}

/** The name of a recording without folder and extension. */
function stem(input: string): string {
  if (input === STDIN) return 'stdin'
  const name = basename(input)
  return name.slice(0, name.length - extname(name).length)
}
