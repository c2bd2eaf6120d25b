import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { packageRoot } from '../backend/package-root.ts'
import { buildCommand } from './commands/build.ts'
import { convertCommand } from './commands/convert.ts'
import { demoCommand } from './commands/demo.ts'
import { doctorCommand } from './commands/doctor.ts'
import { inspectCommand } from './commands/inspect.ts'
import { listenCommand } from './commands/listen.ts'
import { modelsCommand } from './commands/models.ts'
import { setupCommand } from './commands/setup.ts'
import { transcribeCommand } from './commands/transcribe.ts'
import type { CommandContext } from './context.ts'

/** Columns of help that goes to a file or pipe. */
const HELP_WIDTH = 110

/** The command line as a whole. It throws a `CommanderError` in place of ending the process. */
export function createProgram(context: CommandContext): Command {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
  const program = new Command('whisper-hip')
    .description('Speech to text on AMD GPUs, with proof of what did the work.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText(
      'after',
      '\n`whisper-hip FILE` is short for `whisper-hip transcribe FILE`.\nExit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\nMore: docs/cli.md in the repository.',
    )
  for (const make of [
    transcribeCommand,
    listenCommand,
    setupCommand,
    doctorCommand,
    modelsCommand,
    inspectCommand,
    convertCommand,
    buildCommand,
    demoCommand,
  ])
    program.addCommand(make(context))
  for (const command of withChildren(program)) prepare(command)
  return program
}

function withChildren(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withChildren)]
}

/** Commander hands these settings on to children that it makes itself, not to those that are added. */
function prepare(command: Command): void {
  command
    .exitOverride()
    .helpOption('-h, --help', 'print this help')
    .configureOutput({
      getOutHelpWidth: () => process.stdout.columns || HELP_WIDTH,
      getErrHelpWidth: () => process.stderr.columns || HELP_WIDTH,
      outputError: (text, write) => write(text.replace(/^error: /, 'whisper-hip: ')),
    })
}
