import { WhisperHipError } from '../../errors.ts'
import { isError } from '../../kinds.ts'
import { systemReason } from '../../system-reasons.ts'

/** An `ERR_DOWNLOAD`: what could not be obtained, and why, in one sentence. */
export function downloadError(
  message: string,
  cause?: unknown,
  advice: readonly string[] = [],
): WhisperHipError {
  return new WhisperHipError('ERR_DOWNLOAD', message, { cause, advice })
}

/** `error` of a file operation as an `ERR_DOWNLOAD` that says what was being done and to which path. */
export function fileError(error: unknown, doing: string, path: string): unknown {
  const code = errorCode(error)
  if (code === undefined) return error
  const reason = systemReason(code) ?? (error as Error).message
  const advice = ['Set WHISPER_HIP_CACHE to a folder that this user can write to and that has room.']
  return downloadError(`Could not ${doing} ${path}: ${reason} (${code})`, error, advice)
}

/** The `code` of a Node error such as `ENOENT`, if it has one. */
export function errorCode(error: unknown): string | undefined {
  if (!isError(error) || error instanceof WhisperHipError || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** `bytes` for a reader: `147.9 MB`, decimal units as hosts and disks state them. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
