import { Readable } from 'node:stream'
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl'
import { WhisperHipError } from '../../errors.ts'
import { isError } from '../../kinds.ts'
import type { Pacer } from '../../pacer.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import type { ByteSource } from '../source.ts'

const MAX_MEMBERS = 1 << 14
/** Of the directory: Whisper's largest model has 150,000 bytes. */
const MAX_DIRECTORY = 4 << 20
/** Bytes that are fetched at once: headers lie side by side. */
const READ_AHEAD = 4096
const STORED = 0

/** Where the content of a member lies in the file. */
export interface Member {
  offset: number
  size: number
}

/** A zip archive as `torch.save` writes it: members in one folder, not compressed. */
export class TorchArchive {
  readonly #name: string
  readonly #zip: ZipFile
  /** By their paths in the folder. */
  readonly #members: ReadonlyMap<string, Entry>

  private constructor(name: string, zip: ZipFile, members: ReadonlyMap<string, Entry>) {
    this.#name = name
    this.#zip = zip
    this.#members = members
  }

  /**
   * Reads the directory of the archive.
   * @throws WhisperHipError `ERR_MODEL_CORRUPT`; `ERR_MODEL_UNSUPPORTED` for members that are compressed or encrypted
   */
  static async open(source: ByteSource, pacer: Pacer): Promise<TorchArchive> {
    const { name, size } = source
    const reader = new SourceReader(source)
    const zip = await translating(name, () =>
      fromRandomAccessReaderPromise(reader, size, { autoClose: false }),
    )
    const members = new Map<string, Entry>()
    let folder: string | undefined
    let directory = 0
    for (const entries = zip.eachEntry(); ; ) {
      if (pacer.due) await pacer.turn()
      const { value: entry, done } = await translating(name, () => entries.next())
      if (done) return new TorchArchive(name, zip, members)
      const path = entry.fileName
      directory += entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength
      if (directory > MAX_DIRECTORY) throw corrupt(name, `its directory has more than ${MAX_DIRECTORY} bytes`)
      folder ??= path.slice(0, path.indexOf('/') + 1)
      if (folder === '' || !path.startsWith(folder))
        throw corrupt(name, `its member ${quote(path)} is not in the folder ${quote(folder)} of the others`)
      const inside = path.slice(folder.length)
      if (members.has(inside)) throw corrupt(name, `its member ${quote(path)} is there twice`)
      if (members.size === MAX_MEMBERS) throw corrupt(name, `it has more than ${MAX_MEMBERS} members`)
      requireStored(entry, name)
      members.set(inside, entry)
    }
  }

  /** @throws WhisperHipError `ERR_MODEL_CORRUPT` when it does not lie in the file */
  async member(path: string): Promise<Member | undefined> {
    const entry = this.#members.get(path)
    if (entry === undefined) return undefined
    return await translating(this.#name, async () => {
      const { fileDataStart } = await this.#zip.readLocalFileHeaderPromise(entry, { minimal: true })
      if (fileDataStart + entry.uncompressedSize > this.#zip.fileSize)
        throw corrupt(this.#name, `its member ${quote(path)} does not lie in it`)
      return { offset: fileDataStart, size: entry.uncompressedSize }
    })
  }

  has(path: string): boolean {
    return this.#members.has(path)
  }
}

function requireStored(entry: Entry, name: string): void {
  const { fileName, compressionMethod, compressedSize, uncompressedSize } = entry
  if (compressionMethod !== STORED || (entry.generalPurposeBitFlag & 1) !== 0) {
    throw unsupported(
      name,
      `its member ${quote(fileName)} is compressed or encrypted, which torch.save never does`,
      ["Save it again: torch.save(torch.load(file, map_location='cpu'), file)"],
    )
  }
  if (compressedSize !== uncompressedSize)
    throw corrupt(name, `its member ${quote(fileName)} has two different sizes`)
}

/** What yauzl has to say about a file becomes a failure of this library. */
async function translating<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof WhisperHipError || !isError(cause)) throw cause
    throw corrupt(name, `it is not a sound zip archive (${cause.message})`, cause)
  }
}

class SourceReader extends RandomAccessReader {
  readonly #source: ByteSource
  #block: Uint8Array = new Uint8Array(0)
  #start = 0

  constructor(source: ByteSource) {
    super()
    this.#source = source
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null, bytesRead: number) => void,
  ): void {
    this.#fetch(position, length).then(
      (bytes) => {
        buffer.set(bytes, offset)
        done(null, length)
      },
      (error: Error) => done(error, 0),
    )
  }

  async #fetch(position: number, length: number): Promise<Uint8Array> {
    const end = position + length
    if (position < this.#start || end > this.#start + this.#block.byteLength) {
      const left = this.#source.size - position
      this.#block = await this.#source.read(position, Math.max(length, Math.min(READ_AHEAD, left)))
      this.#start = position
    }
    return this.#block.subarray(position - this.#start, end - this.#start)
  }

  /** Contents are read elsewhere. */
  override _readStreamForRange(): Readable {
    return Readable.from([])
  }
}
