import { type ErrorCode, WhisperHipError } from '../errors.ts'
import { isError } from '../kinds.ts'
import { generalAdvice } from './preflight/advice.ts'
import { distrustAfter } from './trust.ts'
import type { BackendReason } from './types.ts'

/** A stack trace of now, to be shown with an error that arises later in another turn of the event loop. */
export function captureCaller(below: CallableFunction | NewableFunction): { stack?: string } {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, below)
  return holder
}

/**
 * Makes what a job rejected with an error of this library: a native error gets the class, and either gets the frames of
 * the caller below its own. One that shows that the GPU is not sound costs the GPU its good verdict. Anything else, such as an abort reason or what a callback threw, is returned as it is.
 */
export function toLibraryError(error: unknown, caller: { stack?: string }): unknown {
  const known = error instanceof WhisperHipError ? error : fromNative(error)
  if (known === undefined) return error
  distrustAfter(known)
  const own = ownStacks.get(known) ?? known.stack ?? String(known)
  ownStacks.set(known, own)
  const frames = caller.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  known.stack = [own, ...frames].join('\n')
  return known
}

/** Stacks of errors as they arose: one that is kept, and thrown at each call, shows the caller of the last. */
const ownStacks = new WeakMap<WhisperHipError, string>()

function fromNative(error: unknown): WhisperHipError | undefined {
  if (!isError(error) || !('code' in error) || typeof error.code !== 'string') return undefined
  if (error.code === 'ERR_CANCELLED') {
    return new WhisperHipError('ERR_INTERNAL', 'The job ended before it was done', { cause: error })
  }
  if (!nativeCodes.has(error.code)) return undefined
  const reason = 'reason' in error ? (error.reason as BackendReason) : undefined
  return new WhisperHipError(error.code as ErrorCode, error.message, {
    cause: error,
    ...(reason === undefined ? {} : { reason, advice: generalAdvice(reason) }),
  })
}

const nativeCodes: ReadonlySet<string> = new Set<ErrorCode>([
  'ERR_INVALID_ARGUMENT',
  'ERR_MODEL_CORRUPT',
  'ERR_MODEL_UNSUPPORTED',
  'ERR_AUDIO_DECODE',
  'ERR_AUDIO_UNSUPPORTED',
  'ERR_BACKEND_UNAVAILABLE',
  'ERR_GPU_NOT_USED',
  'ERR_NATIVE_MISSING',
  'ERR_OUT_OF_MEMORY',
  'ERR_WRITE',
  'ERR_DISPOSED',
  'ERR_INTERNAL',
])
