import { constants, type Stats } from 'node:fs'
import { type FileHandle, open, opendir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { types } from 'node:util'
import { WhisperHipError } from '../errors.ts'
import { isUrl, unshared } from '../kinds.ts'
import { systemReason } from '../system-reasons.ts'
import { corrupt, notAModel } from './failures.ts'
import { quantisedGraph, quantisedOnly } from './quantised-graphs.ts'
import type { ByteSource } from './source.ts'

/** The main file of a model and the folder in which its companions (vocabulary, configuration) lie. */
export interface ModelSource {
  source: ByteSource
  /** `null` for bytes in memory. */
  folder: string | null
}

/**
 * Opens what the user named: a file, a checkpoint folder or the bytes of a file.
 *
 * @param input a path, a `file:` URL, bytes (not copied: they must not change until the model is loaded), or an open source
 * @throws WhisperHipError `ERR_INVALID_ARGUMENT`, `ERR_MODEL_NOT_FOUND` (missing, unreadable), `ERR_MODEL_FORMAT` (no regular
 *   file, a folder without a model), `ERR_MODEL_UNSUPPORTED` (a folder in a format that this version does not read)
 */
export async function openModelSource(input: string | URL | Uint8Array | ByteSource): Promise<ModelSource> {
  if (isSource(input)) return { source: input, folder: null }
  if (types.isUint8Array(input)) return { source: bytesSource(input), folder: null }
  const path = pathOf(input)
  const file = (await statModel(path)).isDirectory() ? await modelFileIn(path) : path
  return { source: await openFileSource(file), folder: dirname(file) }
}

function isSource(input: string | URL | Uint8Array | ByteSource): input is ByteSource {
  return typeof input === 'object' && 'read' in input
}

function pathOf(input: string | URL): string {
  if (isUrl(input)) {
    try {
      return fileURLToPath(input.href)
    } catch (cause) {
      throw new WhisperHipError(
        'ERR_INVALID_ARGUMENT',
        `Expected a file: URL for model but received ${input.href}`,
        {
          cause,
        },
      )
    }
  }
  if (typeof input !== 'string' || input === '' || input.includes('\0')) {
    const received = `${JSON.stringify(input) ?? String(input)} of type ${typeof input}`
    throw new WhisperHipError(
      'ERR_INVALID_ARGUMENT',
      `Expected a path, URL or Uint8Array for model but received ${received}`,
    )
  }
  return input
}

/**
 * Opens a regular file for random access.
 * @param name what messages about its contents call it
 * @throws WhisperHipError `ERR_MODEL_NOT_FOUND` or `ERR_MODEL_FORMAT`, naming the path and what was found there
 */
export async function openFileSource(path: string, name = path): Promise<ByteSource> {
  // Looked at before it is opened: opening a device or a pipe can act on it, or wait.
  requireRegularFile(path, await statModel(path))
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw cannotOpen(path, cause)
  }
  try {
    const stats = await handle.stat()
    requireRegularFile(path, stats)
    return new FileSource(name, stats, handle)
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Gives bytes in memory the face of a file. They are not copied. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return new BytesSource(bytes)
}

class FileSource implements ByteSource {
  readonly name: string
  readonly size: number
  readonly #modified: number
  readonly #handle: FileHandle

  constructor(name: string, { size, mtimeMs }: Stats, handle: FileHandle) {
    this.name = name
    this.size = size
    this.#modified = mtimeMs
    this.#handle = handle
  }

  get native(): { fd: number } {
    return { fd: this.#handle.fd }
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    requireInside(this, offset, length)
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length; ) {
      const bytesRead = await this.#readSome(bytes, done, offset + done)
      if (bytesRead === 0) throw corrupt(this.name, `it was cut to ${offset + done} bytes while it was read`)
      done += bytesRead
    }
    return bytes
  }

  async #readSome(bytes: Uint8Array, at: number, position: number): Promise<number> {
    try {
      return (await this.#handle.read(bytes, at, bytes.byteLength - at, position)).bytesRead
    } catch (cause) {
      throw corrupt(this.name, `reading at byte ${position} failed (${reasonOf(cause)})`, cause)
    }
  }

  async requireUnchanged(): Promise<void> {
    const { size, mtimeMs } = await this.#handle.stat()
    if (size !== this.size || mtimeMs !== this.#modified)
      throw corrupt(this.name, 'it was written to while it was read')
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

class BytesSource implements ByteSource {
  readonly name = '<bytes>'
  readonly size: number
  readonly native: { bytes: Uint8Array }

  constructor(bytes: Uint8Array) {
    this.size = bytes.byteLength
    this.native = { bytes }
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    requireInside(this, offset, length)
    // A buffer that was detached or shortened is empty or short from then on.
    await this.requireUnchanged()
    const { bytes } = this.native
    // What is read of shared memory must not change after it was checked.
    return unshared(bytes.subarray(offset, offset + length))
  }

  async requireUnchanged(): Promise<void> {
    if (this.native.bytes.byteLength !== this.size)
      throw corrupt(this.name, 'its buffer was detached while it was read')
  }

  async close(): Promise<void> {}
}

function requireInside(source: ByteSource, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= source.size) return
  throw corrupt(
    source.name,
    `${length} bytes are needed at byte ${offset}, but it ends at byte ${source.size}`,
  )
}

async function statModel(path: string): Promise<Stats> {
  try {
    return await stat(path)
  } catch (cause) {
    throw cannotOpen(path, cause)
  }
}

function requireRegularFile(path: string, stats: Stats): void {
  if (!stats.isFile()) throw notAModel(path, kindOf(stats))
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory'
  if (stats.isFIFO()) return 'a named pipe'
  if (stats.isSocket()) return 'a socket'
  return 'a device'
}

function cannotOpen(path: string, cause: unknown): WhisperHipError {
  return new WhisperHipError('ERR_MODEL_NOT_FOUND', `Cannot open the model '${path}': ${reasonOf(cause)}`, {
    cause,
  })
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  return systemReason(code) ?? message
}

/** Tells whether there is anything at the path; a path that may not be looked at is an error. */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw cannotOpen(path, cause)
  }
}

/** Main files of checkpoint folders, best first. An adapter is found last, to be refused by name. */
const MAIN_FILES = [
  'model.gguf',
  'model.safetensors',
  'model.safetensors.index.json',
  'model.bin',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'encoder_model.onnx',
  join('onnx', 'encoder_model.onnx'),
  'encoder_model_fp16.onnx',
  join('onnx', 'encoder_model_fp16.onnx'),
  'weights.safetensors',
  'flax_model.msgpack',
  'flax_model.msgpack.index.json',
  'adapter_model.safetensors',
  'adapter_model.bin',
]

async function modelFileIn(folder: string): Promise<string> {
  for (const file of MAIN_FILES) {
    const path = join(folder, file)
    if (await exists(path)) return path
  }
  for (const graphs of [folder, join(folder, 'onnx')]) {
    if (!(await exists(graphs))) continue
    const quantised = await quantisedGraph(graphs).catch((cause) => {
      throw cannotOpen(graphs, cause)
    })
    if (quantised !== undefined) throw quantisedOnly(folder, join(graphs, quantised))
  }
  const candidate = await firstModelLikeFile(folder)
  throw notAModel(
    folder,
    'a directory without the file of a model, such as model.safetensors or model.bin',
    candidate ? [`Pass the file itself: ${candidate}`] : [],
  )
}

/** Only the start of a folder, and of the graphs in `onnx/`, is looked at: it can have any number of entries. */
async function firstModelLikeFile(folder: string): Promise<string | undefined> {
  let graphs: string | undefined
  try {
    let left = 1000
    for await (const entry of await opendir(folder)) {
      if (/\.(bin|ckpt|ggml|gguf|msgpack|onnx|pt|pth|safetensors)$/i.test(entry.name))
        return join(folder, entry.name)
      if (entry.name === 'onnx' && entry.isDirectory()) graphs = join(folder, entry.name)
      if (--left === 0) break
    }
  } catch (cause) {
    throw cannotOpen(folder, cause)
  }
  return graphs && (await firstModelLikeFile(graphs))
}
