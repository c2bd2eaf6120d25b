import { captureCaller, toLibraryError } from '../backend/native-error.ts'
import { checkBoolean, checkFunction, checkOptions, checkSignal, checkString } from '../check.ts'
import { guardCallback } from '../guard-callback.ts'
import { obtainModel } from './download/index.ts'
import type { LoadOptions, LoadProgress } from './types.ts'

/** Options of {@link downloadModel}: those of {@link loadModel} that concern the download. */
export type DownloadOptions = Pick<LoadOptions, 'offline' | 'sha256' | 'onProgress' | 'signal'>

/**
 * Downloads a model into the cache without loading it, for example when you build an image. A model that is already cached is not requested
 * again; `offline: true` only looks in the cache.
 *
 * @param model a catalogue name or alias, or the http(s) URL of a model file
 * @returns the path in the cache, a file or a folder, which {@link loadModel} takes
 * @throws {@link WhisperHipError} `ERR_MODEL_NOT_FOUND`, `ERR_DOWNLOAD`, `ERR_INVALID_ARGUMENT`; or `signal.reason`
 */
export async function downloadModel(model: string | URL, options: DownloadOptions = {}): Promise<string> {
  const caller = captureCaller(downloadModel)
  try {
    const { onProgress, ...rest } = parse(options)
    const told = guardCallback<LoadProgress>(onProgress, rest.signal)
    const path = await obtainModel(model, {
      ...rest,
      signal: told.signal,
      onProgress: ({ received, total }) =>
        told.call({
          stage: 'download',
          progress: total ? Math.min(received / total, 1) : 0,
          receivedBytes: received,
          totalBytes: total,
        }),
    })
    await told.end()
    return path
  } catch (error) {
    throw toLibraryError(error, caller)
  }
}

function parse(options: unknown): DownloadOptions {
  const given = checkOptions(options, ['offline', 'sha256', 'onProgress', 'signal'], 'downloadModel()')
  const parsed: DownloadOptions = {}
  if (given.offline !== undefined) parsed.offline = checkBoolean(given.offline, 'offline')
  if (given.sha256 !== undefined) parsed.sha256 = checkString(given.sha256, 'sha256', 64, 64)
  if (given.onProgress !== undefined) parsed.onProgress = checkFunction(given.onProgress, 'onProgress')
  if (given.signal !== undefined) parsed.signal = checkSignal(given.signal, 'signal')
  return parsed
}
