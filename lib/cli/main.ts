#!/usr/bin/env node
import { CommanderError } from 'commander'
import { tellError, tellWarnings } from './failures.ts'
import { ClosedOutput, Interrupted } from './interrupt.ts'
import { createProgram } from './program.ts'

/**
 * Runs a command line to its end.
 * @returns the exit code
 */
async function main(args: readonly string[]): Promise<number> {
  const controller = new AbortController()
  watchSignals(controller)
  watchOutput(controller)
  tellWarnings()
  let code = 0
  const program = createProgram({
    signal: controller.signal,
    fail(exitCode) {
      code = exitCode
    },
  })
  try {
    await program.parseAsync(args, { from: 'user' })
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

/** The first signal cancels the work, the second one does not wait for that. */
function watchSignals(controller: AbortController): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const interrupted = new Interrupted(signal)
      if (controller.signal.aborted) process.exit(interrupted.exitCode)
      controller.abort(interrupted)
    })
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
