import { isFailure } from './failure.ts'
import type { Sysroot } from './sysroot.ts'

const PATH = '/etc/ld.so.cache'
const MOST_BYTES = 16 << 20
const OLD_MAGIC = 'ld.so-1.7.0'
const NEW_MAGIC = 'glibc-ld.so.cache1.1'
const HEADER_BYTES = 48
const ENTRY_BYTES = 24
const FIELDS = 6
/** Flags of an entry, by processor: a library for glibc, 64 bits. */
const FLAGS: Readonly<Record<string, number>> = { x64: 0x0303, arm64: 0x0a03 }

/**
 * The loader's cache (glibc's `sysdeps/generic/dl-cache.h`): the libraries in the folders of `/etc/ld.so.conf`, as they were
 * when `ldconfig` ran last. Names are not decoded before they are asked for: there are thousands.
 */
export class LoaderCache {
  readonly #bytes: Buffer
  /** Where the places of names and paths are counted from. */
  readonly #start: number
  /** Flags, place of the name, place of the path, unused, and two halves of a mask of special hardware, for each library. */
  readonly #entries: Uint32Array
  readonly #flags: number | undefined

  /** @returns null when there is no cache, or one of another format */
  static read(root: Sysroot, arch: string): LoaderCache | null {
    const bytes = root.read(PATH, MOST_BYTES)
    if (isFailure(bytes)) return null
    const start = newFormatStart(bytes)
    const isNew = start !== null && bytes.toString('latin1', start, start + NEW_MAGIC.length) === NEW_MAGIC
    return isNew ? new LoaderCache(bytes, start, arch) : null
  }

  private constructor(bytes: Buffer, start: number, arch: string) {
    this.#bytes = bytes
    this.#start = start
    this.#flags = FLAGS[arch]
    const fitting = Math.floor((bytes.length - start - HEADER_BYTES) / ENTRY_BYTES)
    const count = Math.min(bytes.readUInt32LE(start + 20), fitting)
    const table = bytes.subarray(start + HEADER_BYTES, start + HEADER_BYTES + count * ENTRY_BYTES)
    this.#entries = new Uint32Array(new Uint8Array(table).buffer)
  }

  /** Paths of the libraries whose names begin so, the loader's first choice first; their names can be longer. */
  startingWith(beginning: string): { name: string; path: string }[] {
    const found: { name: string; path: string }[] = []
    for (let at = this.#bytes.indexOf(beginning); at >= 0; at = this.#bytes.indexOf(beginning, at + 1)) {
      for (const place of this.#pathsOf(at - this.#start)) {
        const path = this.#text(this.#start + place)
        if (path.startsWith('/')) found.push({ name: this.#text(at), path })
      }
    }
    return found
  }

  /** Places of the paths of the libraries that have their name in this place. */
  #pathsOf(name: number): number[] {
    const places: number[] = []
    for (let at = this.#entries.indexOf(name); at >= 0; at = this.#entries.indexOf(name, at + 1)) {
      if (at % FIELDS !== 1) continue
      const [flags, , path = 0, , low, high] = this.#entries.subarray(at - 1, at - 1 + FIELDS)
      if (flags === this.#flags && low === 0 && high === 0) places.push(path)
    }
    return places
  }

  #text(at: number): string {
    const end = this.#bytes.indexOf(0, at)
    return end < 0 ? '' : this.#bytes.toString('utf8', at, end)
  }
}

/** Older versions of ldconfig write the new format behind the old one, aligned to 8 bytes. */
function newFormatStart(bytes: Buffer): number | null {
  if (bytes.length < HEADER_BYTES) return null
  if (bytes.toString('latin1', 0, OLD_MAGIC.length) !== OLD_MAGIC) return 0
  const end = 16 + bytes.readUInt32LE(12) * 12
  const start = Math.ceil(end / 8) * 8
  return start + HEADER_BYTES <= bytes.length ? start : null
}
