import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { URL } from 'node:url'
import { types } from 'node:util'
import { checkAttached, invalidArgument } from '../check.ts'
import { isUrl } from '../kinds.ts'
import { findModel } from './catalogue.ts'
import { obtainModel } from './download/index.ts'
import { asRepository } from './download/repository.ts'
import type { LoadOptions, ModelInput } from './types.ts'

/** Where a model lies now, and what to call it. */
export interface LocatedModel {
  input: string | URL | Uint8Array
  name: string
}

/**
 * Finds out what the user means by a model, and downloads it if need be.
 *
 * A catalogue name wins over a file of the same name (write `./base` for the file); anything else with a slash is a path, or where there is
 * none `OWNER/NAME` of a repository of the hub; http(s) URLs are downloaded.
 */
export async function locateModel(input: ModelInput, options: LoadOptions): Promise<LocatedModel> {
  if (types.isUint8Array(input)) {
    checkAttached(input, 'model')
    return { input, name: '<bytes>' }
  }
  if (isUrl(input) && input.protocol === 'file:') return { input, name: basename(input.pathname) }
  if (typeof input !== 'string' && !isUrl(input)) {
    throw invalidArgument('a model name, a path, a URL or a Uint8Array', 'model', input)
  }
  const text = String(input)
  const known = typeof input === 'string' ? findModel(input) : undefined
  const remote = known !== undefined || /^(https?|hf):/i.test(text) || (await isRepository(text))
  if (!remote && (text.includes('/') || text === '' || text.includes('\0') || (await exists(text)))) {
    return { input: text, name: basename(text) }
  }
  const path = await obtainModel(input, {
    ...(options.offline !== undefined && { offline: options.offline }),
    ...(options.sha256 !== undefined && { sha256: options.sha256 }),
    ...(options.signal !== undefined && { signal: options.signal }),
    onProgress: ({ received, total }) =>
      options.onProgress?.({
        stage: 'download',
        progress: total ? Math.min(received / total, 1) : 0,
        receivedBytes: received,
        totalBytes: total,
      }),
  })
  const name = known?.name ?? asRepository(text)?.id ?? basename(new URL(text).pathname)
  return { input: path, name }
}

/** `models/base` is a mistaken path where there is a folder `models`, and the name of a repository where there is none. */
async function isRepository(text: string): Promise<boolean> {
  const repository = asRepository(text)
  return repository !== undefined && !(await exists(text)) && !(await exists(dirname(text)))
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false // then it can only be a name; obtainModel() says which names there are
  }
}
