/** What a command gets beside its arguments. */
export interface CommandContext {
  /** Aborted by a signal, or when nobody reads the output any more. */
  readonly signal: AbortSignal
  /** From now on the first SIGINT (Ctrl-C) calls this in place of cancelling; the next signal ends the process at once. */
  onInterrupt(listener: () => void): void
  /** Sets the exit code of a command that goes on or has told its failure already. */
  fail(exitCode: 1): void
}
