import type { Dirent } from 'node:fs'
import { opendir, realpath } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { corrupt, quote, unsupported } from './failures.ts'
import { exists, openFileSource } from './sources.ts'

/** A file that lies beside a model: vocabulary, configuration, part of the weights. */
interface Companion {
  path: string
  bytes: Uint8Array
}

/**
 * The path of a file in the folder of a model.
 *
 * In a folder whose weights are all links, as in stores by content, links are followed wherever they lead. In a folder with weights of its own,
 * which may come out of somebody's archive, links may not lead out of it, but into the store of the hub's cache, where each file of
 * `snapshots/REVISION/` is a link into `blobs/`.
 *
 * @param file a plain name; it may come from another file, which is not trusted
 * @returns `undefined` when there is no such file
 * @throws WhisperHipError `ERR_MODEL_CORRUPT` when `file` is a path, `ERR_MODEL_UNSUPPORTED` for a link out of the folder
 */
export async function companionPath(folder: string, file: string): Promise<string | undefined> {
  if (!/^[^/\\\0]{1,255}$/.test(file) || file === '.' || file === '..') {
    throw corrupt(folder, `it refers to ${quote(file)}, where the name of a file in its folder is needed`)
  }
  const path = join(folder, file)
  if (!(await exists(path))) return undefined
  const [inside, target] = await Promise.all([realpath(folder), realpath(path)])
  const isInside = [inside, ...hubStore(inside)].some((allowed) => target.startsWith(withSeparator(allowed)))
  if (isInside || (await isFolderOfLinks(folder))) return path
  throw unsupported(path, 'it is a link out of the folder of the model, whose weights are not links', [
    'Put a copy of the file in its place',
  ])
}

/**
 * The folder with the companions of a model: that of its file, but the one above where exports for browsers have the graphs in a folder of
 * their own, `onnx/`.
 *
 * @param file of the weights
 */
export async function companionFolder(file: string): Promise<string> {
  const folder = dirname(file)
  const isInside = file.endsWith('.onnx') && basename(folder) === 'onnx'
  return isInside && !(await exists(join(folder, 'config.json'))) ? dirname(folder) : folder
}

/** Reads a small companion as a whole. `undefined` when there is none. */
export async function readCompanion(
  folder: string,
  file: string,
  maximum: number,
): Promise<Companion | undefined> {
  const path = await companionPath(folder, file)
  if (path === undefined) return undefined
  const source = await openFileSource(path)
  try {
    if (source.size > maximum)
      throw corrupt(path, `it has ${source.size} bytes, where ${maximum} are possible`)
    return { path, bytes: await source.read(0, source.size) }
  } finally {
    await source.close()
  }
}

/** The folder of blobs when the folder is a snapshot in the cache of the hub: `models--OWNER--NAME/snapshots/REVISION`. */
function hubStore(folder: string): string[] {
  const snapshots = dirname(folder)
  const repository = dirname(snapshots)
  const isHub = basename(snapshots) === 'snapshots' && basename(repository).startsWith('models--')
  return isHub ? [join(repository, 'blobs')] : []
}

const WEIGHTS = /\.(bin|ckpt|ggml|gguf|msgpack|onnx|onnx_data|pt|pth|safetensors)$/i
/** Only the start of a folder is looked at: it can have any number of entries. */
const MOST_ENTRIES = 1000

/** Whether there are weights in a folder, or in its `onnx/`, and all of them are links. */
async function isFolderOfLinks(folder: string): Promise<boolean> {
  const weights: Dirent[] = []
  for (const place of [folder, join(folder, 'onnx')]) {
    if (!(await exists(place))) continue
    let left = MOST_ENTRIES
    for await (const entry of await opendir(place)) {
      if (WEIGHTS.test(entry.name)) weights.push(entry)
      if (--left === 0) break
    }
  }
  return weights.length > 0 && weights.every((entry) => entry.isSymbolicLink())
}

function withSeparator(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep
}
