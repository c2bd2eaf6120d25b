import { WhisperHipError } from '../errors.ts'

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'a part of the path is not a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EISDIR: 'it is a folder',
  EEXIST: 'a file is in the way',
  ENAMETOOLONG: 'the name is too long for the file system',
  ELOOP: 'its symbolic links form a loop',
  EMFILE: 'this process has too many open files',
  EFBIG: 'it is too large for the file system, or for a limit of this process',
}

/** A file cannot be written. */
export function cannotWrite(path: string, cause: unknown, advice: readonly string[] = []): WhisperHipError {
  const { code, message } = cause as NodeJS.ErrnoException
  const problem = REASONS[code ?? ''] ?? message
  return new WhisperHipError('ERR_WRITE', `Cannot write '${path}': ${problem}`, { advice, cause })
}
