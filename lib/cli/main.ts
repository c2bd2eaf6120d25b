#!/usr/bin/env node
import { performance } from 'node:perf_hooks'
import { CommanderError } from 'commander'
import { AbortController } from '../abort.ts'
import type { CommandContext } from './context.ts'
import { tellError, tellWarnings } from './failures.ts'
import { withImpliedCommand } from './implied-command.ts'
import { ClosedOutput, Interrupted } from './interrupt.ts'
import { createProgram } from './program.ts'

/**
 * Runs a command line to its end.
 * @returns the exit code
 */
async function main(args: readonly string[]): Promise<number> {
  const controller = new AbortController()
  const signals = watchSignals(controller)
  watchOutput(controller)
  tellWarnings()
  let code = 0
  const program = createProgram({
    signal: controller.signal,
    onInterrupt: signals.onInterrupt,
    fail(exitCode) {
      code = exitCode
    },
  })
  try {
    const commands = ['help', ...program.commands.map((command) => command.name())]
    await program.parseAsync(withImpliedCommand(args, commands), { from: 'user' })
    return code
  } catch (error) {
    const { reason } = controller.signal
    // What cannot be cancelled, such as the trial of a GPU, is not waited for.
    if (reason instanceof Interrupted) process.exit(reason.exitCode)
    if (reason instanceof ClosedOutput) return reason.exitCode
    // Commander has said it already. It knows only the codes 0 and 1; wrong usage is 2 here.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    return tellError(error)
  }
}

/** `npx` passes Ctrl-C on to a program that has had it from the terminal: within so many milliseconds it is the same one. */
const ECHO = 200

/** The first signal cancels the work, or ends it in the way that a command has for Ctrl-C; the second one does not wait for that. */
function watchSignals(controller: AbortController): Pick<CommandContext, 'onInterrupt'> {
  let interrupt: (() => void) | undefined
  let since: number | undefined
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const interrupted = new Interrupted(signal)
      if (since !== undefined && performance.now() - since < ECHO) return
      if (since !== undefined || controller.signal.aborted) process.exit(interrupted.exitCode)
      since = performance.now()
      if (signal === 'SIGINT' && interrupt !== undefined) interrupt()
      else controller.abort(interrupted)
    })
  }
  return {
    onInterrupt(listener) {
      interrupt = listener
    },
  }
}

/** Nothing is left to do when nobody reads the output; a full disk is an error that must be told. */
function watchOutput(controller: AbortController): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (controller.signal.aborted) return
    const closed = new ClosedOutput(error)
    if (closed.exitCode !== 0) {
      tellError(new Error(`Cannot write to standard output: ${error.message}`))
      process.exitCode = closed.exitCode
    }
    controller.abort(closed)
  })
  process.stderr.on('error', () => {
    // There is no place left to say so.
  })
}

main(process.argv.slice(2)).then((code) => {
  // A failed write of the last line is told after main() has returned; it has set a code by then.
  process.exitCode ??= code
})
