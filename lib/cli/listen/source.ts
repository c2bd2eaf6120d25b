import type { Readable } from 'node:stream'
import type { Warning } from '../../warnings.ts'

/** Where live audio comes from. */
export interface Source {
  /** For messages. */
  readonly name: string
  /** Raw samples. An error of this stream ends the transcription. */
  readonly samples: Readable
  /** Settles when the samples have ended: rejects if that was a failure. */
  readonly ended: Promise<void>
  /** What is to be told of it; complete when it has ended. */
  readonly warnings?: readonly Warning[]
  /** Lets the samples end soon, with what has been recorded. */
  stop(): void
  /** Ends everything at once. */
  close(): void
}
