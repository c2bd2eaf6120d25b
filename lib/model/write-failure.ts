import { WhisperHipError } from '../errors.ts'
import { systemReason } from '../system-reasons.ts'

/** Of a file that does not exist yet. */
const special = {
  ENOENT: 'its folder does not exist',
  ENAMETOOLONG: 'the name is too long for the file system',
}

/** A file cannot be written. */
export function cannotWrite(path: string, cause: unknown, advice: readonly string[] = []): WhisperHipError {
  const { code, message } = cause as NodeJS.ErrnoException
  const problem = systemReason(code, special) ?? message
  return new WhisperHipError('ERR_WRITE', `Cannot write '${path}': ${problem}`, { advice, cause })
}
