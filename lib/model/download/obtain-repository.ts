/** Models of the Hugging Face hub by the name of their repository: the files that make the model, in a folder of the cache. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../../cache-folder.ts'
import { WhisperHipError } from '../../errors.ts'
import { ensureWritable } from './cache.ts'
import { publish } from './disk.ts'
import { downloadError } from './failure.ts'
import { downloadFile } from './http.ts'
import { hubFile } from './hub.ts'
import { listRepository } from './hub-listing.ts'
import { withLock } from './lock.ts'
import type { ObtainOptions } from './options.ts'
import type { Repository } from './repository.ts'
import { filesOfModel, type RepositoryFile } from './repository-files.ts'
import type { Settings } from './settings.ts'
import { requireModel } from './verify.ts'

/** What is written last, so that it marks a finished download. */
interface Reference {
  /** Name of the folder, beside the record. */
  folder: string
  /** The file of the model in it; '' for the folder as a whole. */
  model: string
}

/** Path of the model in the cache, downloaded first when it is not there. A cached copy is used without asking the hub again. */
export async function obtainRepository(
  repository: Repository,
  options: ObtainOptions,
  settings: Settings,
): Promise<string> {
  const { id, revision, file } = repository
  const folder = join(cacheFolder(), 'hub', id.replace('/', '--'))
  const reference = join(folder, `${keyOf(revision, file)}.json`)
  const cached = () => findCopy(folder, reference)
  const copy = await cached()
  if (copy !== undefined) return copy
  if (options.offline) {
    throw new WhisperHipError(
      'ERR_MODEL_NOT_FOUND',
      `The repository ${id} is not in the cache, and offline is set: looked for ${reference}`,
      { advice: ['Run once without offline to download it.'] },
    )
  }
  await ensureWritable(folder)
  return withLock(`${folder}.lock`, { signal: options.signal, ready: cached }, async () => {
    const { commit, files } = await listRepository(repository, options.signal)
    const wanted = filesOfModel(id, files, file)
    const name = file === undefined ? commit : `${commit}-${digest(file)}`
    const target = join(folder, name)
    if (!(await exists(target))) await fetchAll(repository, commit, wanted, target, options, settings)
    const [first] = wanted
    const model = wanted.length === 1 && first !== undefined ? first.path : ''
    const record: Reference = { folder: name, model }
    await writeFile(`${reference}.new`, `${JSON.stringify(record)}\n`)
    await publish(`${reference}.new`, reference)
    return join(target, model)
  })
}

async function fetchAll(
  { id }: Repository,
  commit: string,
  files: readonly RepositoryFile[],
  target: string,
  { signal, onProgress }: ObtainOptions,
  settings: Settings,
): Promise<void> {
  const incoming = `${target}.incoming`
  const total = files.every(({ bytes }) => bytes !== undefined)
    ? files.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
    : null
  let done = 0
  for (const { path, bytes, sha256, blob } of files) {
    const place = join(incoming, path)
    await mkdir(dirname(place), { recursive: true })
    if (bytes === undefined || !(await hasBytes(place, bytes))) {
      const address = hubFile({ repository: id, revision: commit, path })
      const report = (received: number) =>
        onProgress?.({ received: done + received, total, source: `hub ${id}` })
      await downloadFile({ ...address, path: place, bytes, sha256, signal, onProgress: report }, settings)
      if (sha256 === undefined && blob !== undefined) await requireBlob(place, blob, id)
    }
    done += bytes ?? (await stat(place)).size
  }
  const [only] = files
  try {
    await requireModel(files.length === 1 && only ? join(incoming, only.path) : incoming)
  } catch (error) {
    await rm(incoming, { recursive: true, force: true })
    throw error
  }
  await publish(incoming, target)
}

/** @throws `ERR_DOWNLOAD` when a small file is not the one that git names so */
async function requireBlob(path: string, blob: string, id: string): Promise<void> {
  const bytes = await readFile(path)
  const found = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
  if (found === blob) return
  await rm(path, { force: true })
  throw downloadError(`A file of the repository ${id} is not the one that the hub lists: ${path}`)
}

async function findCopy(folder: string, reference: string): Promise<string | undefined> {
  try {
    const record = JSON.parse(await readFile(reference, 'utf8')) as Partial<Reference>
    if (typeof record.folder !== 'string' || typeof record.model !== 'string') return undefined
    const path = join(folder, record.folder, record.model)
    // Nobody who can write to the record may point out of the folder.
    return path.startsWith(`${folder}/`) && (await exists(path)) ? path : undefined
  } catch {
    return undefined
  }
}

/** A revision may hold several models of one file each. */
function keyOf(revision: string, file: string | undefined): string {
  return file === undefined ? revision : `${revision}-${digest(file)}`
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12)

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function hasBytes(path: string, bytes: number): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.size === bytes,
    () => false,
  )
}
