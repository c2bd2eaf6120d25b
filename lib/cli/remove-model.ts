import { readdirSync, rmdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { cacheFolder } from '../cache-folder.ts'
import { downloadModel } from '../index.ts'

/** What has been removed. */
export interface RemovedModel {
  path: string
  bytes: number
}

/**
 * Removes a model from the cache. A process that has it open keeps it until it ends.
 * @param model as `downloadModel()` takes it
 * @param find where a model is in the cache
 * @throws {@link WhisperHipError} `ERR_MODEL_NOT_FOUND` if it is not in the cache; an error of the system
 */
export async function removeModel(model: string, find = findInCache): Promise<RemovedModel> {
  const path = await find(model)
  const top = join(cacheFolder(), 'models')
  if (!path.startsWith(top + sep))
    throw new Error(`${path} is not in the cache, ${top}, and stays where it is`)
  const bytes = sizeOf(path)
  await rm(path, { recursive: true })
  for (let folder = dirname(path); folder.startsWith(top + sep); folder = dirname(folder)) {
    if (readdirSync(folder).length > 0) break
    rmdirSync(folder)
  }
  return { path, bytes }
}

const findInCache = (model: string): Promise<string> => downloadModel(model, { offline: true })

function sizeOf(path: string): number {
  const found = statSync(path)
  if (!found.isDirectory()) return found.size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
