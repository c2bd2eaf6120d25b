import { Option } from 'commander'
import { WhisperHipError } from '../errors.ts'
import { UsageError } from './failures.ts'

/** How an option of the library is written on the command line. */
export interface Flag {
  /** As commander takes it. A flag that begins with `--no-` turns off what is on by default. */
  readonly flags: string
  readonly description: string
  /** The flag that says the opposite, of an option that is neither on nor off by default. */
  readonly opposite?: string
  /** What the library gets for the text on the command line. Absent: the text, or for a flag without a value the boolean. */
  readonly read?: (text: string) => unknown
}

/** Flags, each under the name of its option. */
export type Flags<Name extends string> = Readonly<Record<Name, Flag>>

/** The flags as options of commander. */
export function optionsOf(flags: Flags<string>): Option[] {
  return Object.values(flags).flatMap(({ flags, description, opposite }) => {
    const option = new Option(flags, description)
    // --no-speech-threshold does not negate a speech threshold.
    if (option.required) option.negate = false
    return opposite === undefined ? option : [option, new Option(opposite, 'fail where that would happen')]
  })
}

/** Values for the library, of the flags that were given. */
export function readFlags<Name extends string>(
  flags: Flags<Name>,
  given: Readonly<Record<string, unknown>>,
): Partial<Record<Name, unknown>> {
  const values: Partial<Record<Name, unknown>> = {}
  for (const [name, { flags: written, read }] of Object.entries(flags) as [Name, Flag][]) {
    const value = given[name]
    const absent = value === undefined || (value === true && written.startsWith('--no-'))
    if (!absent) values[name] = read === undefined ? value : read(value as string)
  }
  return values
}

/**
 * Makes an error about wrong arguments one about wrong usage, with the names of flags in place of those of options. Any other error
 * stays what it is.
 * @param flags where the names are looked up
 */
export function toUsage(error: unknown, flags: Flags<string>): unknown {
  if (!(error instanceof WhisperHipError) || error.code !== 'ERR_INVALID_ARGUMENT') return error
  const rename = (text: string) => withFlags(text, flags)
  return new UsageError(rename(error.message), error.advice.map(rename))
}

/**
 * `for beamSize but` becomes `for --beam-size but`; so does an option in "beside clips" and "without grammar". The flag of
 * `vad.threshold` has the name `vadThreshold`.
 */
function withFlags(text: string, flags: Flags<string>): string {
  return text.replace(/\b(for|beside|without|option) (\w+(?:\.\w+)*)/g, (all, word, path: string) => {
    const name = path.replace(/\.(\w)/g, (_, letter) => letter.toUpperCase())
    const written = Object.hasOwn(flags, name) ? /--[\w-]+/.exec(flags[name]?.flags ?? '')?.[0] : undefined
    return written === undefined ? all : `${word} ${written}`
  })
}
