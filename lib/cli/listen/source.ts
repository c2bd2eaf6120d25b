import type { Readable } from 'node:stream'

/** Where live audio comes from. */
export interface Source {
  /** For messages. */
  readonly name: string
  /** Raw samples. An error of this stream ends the transcription. */
  readonly samples: Readable
  /** Settles when the samples have ended: rejects if that was a failure. */
  readonly ended: Promise<void>
  /** Lets the samples end soon, with what has been recorded. */
  stop(): void
  /** Ends everything at once. */
  close(): void
}
