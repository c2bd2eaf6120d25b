import { existsSync } from 'node:fs'

/**
 * `whisper-hip FILE` is `whisper-hip transcribe FILE`. A word that is no command and names no file stays, so that a misspelt command is told.
 * @param commands names of all commands
 */
export function withImpliedCommand(args: readonly string[], commands: readonly string[]): readonly string[] {
  const [first] = args
  if (first === undefined || commands.includes(first)) return args
  const isFile = first === '-' || (!first.startsWith('-') && (existsSync(first) || /[./]/.test(first)))
  return isFile ? ['transcribe', ...args] : args
}
