/** Models fetched by URL: cached under the URL, checked against the caller's digest or recorded with their own. */
import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../../cache-folder.ts'
import { invalidArgument } from '../../check.ts'
import { WhisperHipError } from '../../errors.ts'
import { ensureWritable, hasSize } from './cache.ts'
import { publish } from './disk.ts'
import { downloadFile } from './http.ts'
import { withLock } from './lock.ts'
import type { ObtainOptions } from './options.ts'
import { showUrl } from './request.ts'
import type { Settings } from './settings.ts'
import { requireModel } from './verify.ts'

/** Path of the file behind an http or https URL. A cached copy is used without asking the server again. */
export async function obtainUrl(url: URL, options: ObtainOptions, settings: Settings): Promise<string> {
  if (!['http:', 'https:'].includes(url.protocol) || url.username || url.password)
    throw invalidArgument(
      'an http or https address without user and password',
      'model',
      `${url.protocol}//${url.host}${url.pathname}`,
    )
  const { offline, signal, onProgress, sha256 } = options
  const folder = join(cacheFolder(), 'urls', createHash('sha256').update(url.href).digest('hex').slice(0, 32))
  const path = join(folder, fileName(url))
  const cached = () => findCopy(folder, path, sha256)

  const copy = await cached()
  if (copy !== undefined) return copy
  if (offline)
    throw new WhisperHipError(
      'ERR_MODEL_NOT_FOUND',
      `${showUrl(url)} is not in the cache, and offline is set: looked for ${path}${sha256 ? ` with the SHA-256 ${sha256}` : ''}`,
      { advice: ['Run once without offline to download it.'] },
    )
  await ensureWritable(folder)
  return withLock(`${folder}.lock`, { signal, ready: cached }, async () => {
    const source = showUrl(url)
    const report = (received: number, total: number | null) => onProgress?.({ received, total, source })
    const incoming = join(folder, '.incoming')
    const result = await downloadFile({ url, path: incoming, sha256, signal, onProgress: report }, settings)
    let format: string
    try {
      format = await requireModel(incoming, source)
    } catch (error) {
      await rm(incoming, { force: true })
      throw error
    }
    // In this order an old record never stands beside a new file.
    await rm(join(folder, recordName), { force: true })
    await publish(incoming, path)
    await writeFile(
      join(folder, '.record'),
      `${JSON.stringify({ url: source, ...result, format }, null, 2)}\n`,
    )
    await publish(join(folder, '.record'), join(folder, recordName))
    return path
  })
}

/** Begins with a dot, which the name of a model file never does. */
const recordName = '.source.json'

async function findCopy(
  folder: string,
  path: string,
  sha256: string | undefined,
): Promise<string | undefined> {
  try {
    const record = JSON.parse(await readFile(join(folder, recordName), 'utf8')) as unknown
    if (typeof record !== 'object' || record === null || !('bytes' in record) || !('sha256' in record))
      return undefined
    if (sha256 !== undefined && record.sha256 !== sha256) return undefined
    if (typeof record.bytes !== 'number' || !(await hasSize(path, record.bytes))) return undefined
    // Versions before 0.2 kept whatever a server had sent.
    if (!('format' in record)) await requireModel(path)
    return path
  } catch {
    return undefined
  }
}

/** The last part of the address, as far as it makes a harmless file name. */
function fileName(url: URL): string {
  const last = url.pathname.split('/').at(-1) ?? ''
  const name = last
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .slice(-100)
    .replace(/^\.+/, '')
  return name || 'model'
}
