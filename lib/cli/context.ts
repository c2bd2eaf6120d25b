/** What a command gets beside its arguments. */
export interface CommandContext {
  /** Aborted by a signal, or when nobody reads the output any more. */
  readonly signal: AbortSignal
  /** Sets the exit code of a command that goes on or has told its failure already. */
  fail(exitCode: 1): void
}
