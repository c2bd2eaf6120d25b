/** What the system means by a code, in words. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is not a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EISDIR: 'it is a folder',
  EEXIST: 'a file is in the way',
  ENAMETOOLONG: 'the path is too long',
  ELOOP: 'its symbolic links form a loop',
  EMFILE: 'this process has too many open files',
  ENFILE: 'the system has too many open files',
  EFBIG: 'it is too large for the file system, or for a limit of this process',
}

/**
 * Why an operation on a file failed, in words; `undefined` for a code that is not known.
 * @param special words for codes that mean something else here
 */
export function systemReason(
  code: string | undefined,
  special: Readonly<Record<string, string>> = {},
): string | undefined {
  return code === undefined ? undefined : (special[code] ?? reasons[code])
}
