import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { WhisperHipError } from './errors.ts'

/**
 * Where models and the answers of GPU probes are kept. A relative `WHISPER_HIP_CACHE` is taken from the working directory; a relative
 * `XDG_CACHE_HOME` is ignored, as its specification demands.
 */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment.WHISPER_HIP_CACHE
  if (own) return resolve(own)
  const shared = environment.XDG_CACHE_HOME
  if (shared && isAbsolute(shared)) return join(shared, 'whisper-hip')
  try {
    return join(homedir(), '.cache', 'whisper-hip')
  } catch (error) {
    throw new WhisperHipError('ERR_DOWNLOAD', 'This user has no home folder to keep models in', {
      cause: error,
      advice: ['Set WHISPER_HIP_CACHE to a folder that this user can write to.'],
    })
  }
}
