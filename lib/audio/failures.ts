import { WhisperHipError } from '../errors.ts'
import { isError, messageOf } from '../kinds.ts'

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
  const code = isError(error) && 'code' in error ? String(error.code) : ''
  return systemErrors[code] ?? messageOf(error)
}

const systemErrors: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is not a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'its symbolic links run in a circle',
  ENAMETOOLONG: 'the path is too long',
  EISDIR: 'it is a directory',
  EMFILE: 'this process has too many open files',
  ENOSPC: 'no space left for temporary files',
}
