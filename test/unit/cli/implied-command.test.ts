import { expect, it } from 'vitest'
import { withImpliedCommand } from '../../../lib/cli/implied-command.ts'

const commands = ['transcribe', 'doctor', 'help']

it.each([[['speech.wav', '--format', 'srt']], [['/nowhere/speech']], [['-', '--json']], [['package.json']]])(
  '%j is to transcribe',
  (args) => {
    expect(withImpliedCommand(args, commands)).toEqual(['transcribe', ...args])
  },
)

it.each([[[]], [['doctor']], [['docter']], [['--version']], [['-h']]])(
  '%j is what it is',
  (args: string[]) => {
    expect(withImpliedCommand(args, commands)).toBe(args)
  },
)
