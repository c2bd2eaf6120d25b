import { WhisperHipError } from '../errors.ts'
import { isError, messageOf } from '../kinds.ts'
import { systemReason } from '../system-reasons.ts'

/** There is no audio to be had. `name` is a quoted path or a phrase such as `the audio stream`. */
export function undecodable(
  name: string,
  problem: string,
  details: { advice?: readonly string[]; cause?: unknown } = {},
): WhisperHipError {
  return new WhisperHipError('ERR_AUDIO_DECODE', `Cannot decode ${name}: ${problem}`, details)
}

/** What is wrong with a file that the system would not open or read, in words. */
export function describeSystemError(error: unknown): string {
  const code = isError(error) && 'code' in error ? String(error.code) : undefined
  return systemReason(code, { ENOENT: 'there is no such file' }) ?? messageOf(error)
}
