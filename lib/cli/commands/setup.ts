import { spawn } from 'node:child_process'
import { Command } from 'commander'
import { backendInfo } from '../../index.ts'
import { asFlags } from '../as-flags.ts'
import type { CommandContext } from '../context.ts'
import { stepsOf } from '../doctor/steps.ts'
import { tell } from '../failures.ts'

/** A step that needs no root ends in one of these commands. */
const OWN_COMMANDS = /\b(npm install @whisper-hip\/[\w-]+|npx whisper-hip build(?: --hip| --cpu)?)$/

interface SetupFlags {
  yes?: boolean
  demo: boolean
}

/** `whisper-hip setup` */
export function setupCommand(context: CommandContext): Command {
  return new Command('setup')
    .summary('say what is missing for the GPU, install it, and prove that it works')
    .description(
      'Looks at this machine, prints the commands that are still to be run for the GPU, in order, and transcribes\n' +
        'a recording. With --yes it runs those that need no root, up to the first one that does.',
    )
    .option('-y, --yes', 'run what needs no root')
    .option('--no-demo', 'do not transcribe a recording at the end')
    .action((flags: SetupFlags) => setup(flags, context))
}

async function setup({ yes = false, demo }: SetupFlags, { signal, fail }: CommandContext): Promise<void> {
  const print = (line: string) => process.stdout.write(`${line}\n`)
  const info = await backendInfo({ signal })
  print(`${info.reason}: ${info.message}\n`)
  // The last step is to look again, which the recording at the end does.
  const steps = stepsOf(info).slice(0, -1)
  if (steps.length === 0) print('Nothing is missing: transcriptions run on the GPU.')
  for (const [index, { text, alternatives }] of steps.entries()) {
    print(`${index + 1}. ${asFlags(text)}`)
    for (const line of alternatives) print(`   - or: ${asFlags(line)}`)
  }
  if (
    yes &&
    !(await runOwn(
      steps.map(({ text }) => text),
      signal,
    ))
  )
    return fail(1)
  if (!demo) return
  print('')
  // In a process of its own, which finds what has been installed meanwhile.
  if ((await runShown(process.execPath, [process.argv[1] ?? '', 'demo'], signal)) !== 0) fail(1)
}

/** @returns false if a command failed */
async function runOwn(steps: readonly string[], signal: AbortSignal): Promise<boolean> {
  for (const step of steps) {
    const command = commandOf(step)
    if (command === null) {
      tell(`the next step needs you: ${asFlags(step)}`, ['Then go on: npx whisper-hip setup --yes'])
      return true
    }
    tell(`running ${command}`)
    const [program = '', ...args] = command.split(' ')
    const isOwn = program === 'npx'
    const code = isOwn
      ? await runShown(process.execPath, [process.argv[1] ?? '', ...args.slice(1)], signal)
      : await runShown(program, args, signal)
    if (code !== 0) {
      tell(`${command} ended with ${code}`)
      return false
    }
  }
  return true
}

/** The command of a step that needs no root, or null. */
export function commandOf(step: string): string | null {
  return OWN_COMMANDS.exec(step)?.[1] ?? null
}

/** @returns the exit code */
function runShown(program: string, args: readonly string[], signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], signal })
    child.once('error', (error) => (signal.aborted ? reject(signal.reason) : reject(error)))
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
