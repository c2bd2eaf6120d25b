/** Advice of the library speaks of options in code. On the command line the same things are flags. */

const CALL_BESIDE_COMMAND = /,? or (?:await )?\w+\(\{[^{}]*\}\)/g
const OPTION = /\{ (\w+): (?:'([^']*)'|(\w+)) \}/g
/** `load the model with --backend cpu` is not what somebody does who types a command. */
const LOADING = /\b([Ll])oad (?:the model|models|it) with (?=--)/g

/** A piece of advice for somebody who types commands. */
export function asFlags(advice: string): string {
  return advice
    .replace(CALL_BESIDE_COMMAND, '')
    .replace(OPTION, (_, name: string, text: string | undefined, value: string | undefined) => {
      const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
      return value === 'true' ? flag : `${flag} ${text ?? value}`
    })
    .replace(LOADING, (_, letter: string) => (letter === 'L' ? 'Use ' : 'use '))
}
