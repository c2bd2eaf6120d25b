/** Stable codes of {@link WhisperHipError}. New codes may be added; the meaning of a code never changes. */
export type ErrorCode =
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_MODEL_NOT_FOUND'
  | 'ERR_MODEL_FORMAT'
  | 'ERR_MODEL_CORRUPT'
  | 'ERR_MODEL_UNSUPPORTED'
  | 'ERR_AUDIO_DECODE'
  | 'ERR_AUDIO_UNSUPPORTED'
  | 'ERR_BACKEND_UNAVAILABLE'
  | 'ERR_GPU_NOT_USED'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_NATIVE_MISSING'
  | 'ERR_NODE_MISSING'
  | 'ERR_DISPOSED'
  | 'ERR_DOWNLOAD'
  | 'ERR_WRITE'
  | 'ERR_TOO_MANY_STREAMS'
  | 'ERR_INTERNAL'

/** What {@link WhisperHipError} carries in addition to its message. */
export interface ErrorDetails {
  /** A stable reason such as `NOT_COMPILED`, if the error concerns the backend. */
  reason?: string
  /** What to do about it, most likely first. */
  advice?: readonly string[]
  /** The underlying error. */
  cause?: unknown
}

/** The only error class of this library, with a stable `code`, a message that names what is wrong, and advice. */
export class WhisperHipError extends Error {
  override readonly name = 'WhisperHipError'
  readonly code: ErrorCode
  declare readonly reason?: string
  readonly advice: readonly string[]

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    if (details.reason !== undefined) this.reason = details.reason
    this.advice = details.advice ?? []
  }
}
