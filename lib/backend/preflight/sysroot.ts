import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type Failure, isFailure } from './failure.ts'
import { RootedLinks } from './links.ts'

export { type Failure, isFailure } from './failure.ts'

/** What {@link Sysroot.stat} tells of a file. */
export interface FileStat {
  kind: 'file' | 'folder' | 'device' | 'other'
  /** Permission bits. */
  mode: number
  uid: number
  gid: number
  /** Bytes. */
  size: number
}

/** A file that is open for reading at any place. */
export interface OpenFile {
  /** Bytes. */
  readonly size: number
  /** At most `length` bytes from `offset`: fewer at the end of the file, none where it cannot be read. */
  at(offset: number, length: number): Buffer
  close(): void
}

/** Attributes of sysfs have one page; whatever is longer than this is not one. */
const READ_LIMIT = 65_536
const LINE_LIMIT = 200
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY
const DEVICE_FLAGS = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY

/** What is looked for below `WHISPER_HIP_SYSROOT`; any other path, such as one in a home folder, is the real one. */
const SYSTEM_PATH = /^\/(\.[\w.-]+|dev|etc|gnu|lib\w*|nix|opt|proc|run|snap|sys|usr|var)(\/|$)/
const SIDECAR = /\.(errno|gid)$/

/**
 * All that is read of a machine. The folder is `/`, or with `WHISPER_HIP_SYSROOT=DIR` a folder that stands in for it, so that
 * every state of a machine can be made and looked at. In such a folder
 *
 * - symbolic links, absolute ones too, lead to places inside the folder, never out of it;
 * - a device node is a plain file: it can be opened if the process may read and write it;
 * - `NAME.errno` beside `NAME` holds an error number such as `EACCES`, `EINVAL` or `ENOMEM`, with which reading or opening
 *   `NAME` fails: for what a plain file cannot show, and for tests that run as root;
 * - `NAME.gid` beside `NAME` holds the number of the group that owns `NAME`;
 * - an empty file stands for a whole one, such as a shared library that needs no others, where no file beside it has content.
 *
 * Nothing here throws: every file may be missing, unreadable, huge, binary, a folder, or a link in a circle.
 */
export class Sysroot {
  /** Absolute path of the folder. */
  readonly folder: string
  /** Whether the folder stands in for the machine. */
  readonly isMade: boolean
  /** What kept something from being read: no more files can be opened (`EMFILE`: by this process, `ENFILE`: at all); else null. */
  exhausted: 'EMFILE' | 'ENFILE' | null = null
  readonly #own: readonly string[]
  readonly #links: RootedLinks
  /** Folders of a made machine, and whether all files in them are empty. */
  readonly #hollow = new Map<string, boolean>()

  /**
   * @param folder path of the folder that stands in for `/`
   * @param own absolute folders that are the real ones even if they are below a system folder
   */
  constructor(folder = '/', own: readonly string[] = []) {
    this.folder = resolve(folder)
    this.isMade = this.folder !== '/'
    this.#own = own
    this.#links = new RootedLinks(this.folder)
  }

  /** At most `limit` first bytes of a file. */
  read(path: string, limit = READ_LIMIT): Buffer | Failure {
    return this.#attempt(() => {
      const descriptor = openSync(this.#readable(path), READ_FLAGS)
      try {
        return readAt(descriptor, null, limit)
      } finally {
        closeSync(descriptor)
      }
    })
  }

  /** The first 64 kB of a file as text, or null when it cannot be read. */
  text(path: string): string | null {
    const bytes = this.read(path)
    return isFailure(bytes) ? null : bytes.toString('utf8')
  }

  /** The first line of a file, trimmed and fit for a message, or null when there is none. */
  line(path: string): string | null {
    return printable(this.text(path)?.split('\n', 1)[0] ?? '') || null
  }

  /** Names in a folder, sorted; none when it cannot be read. */
  list(path: string): string[] {
    const names = this.#attempt(() => readdirSync(this.#readable(path)).sort())
    if (isFailure(names)) return []
    return this.isMade ? names.filter((name) => !SIDECAR.test(name)) : names
  }

  /** What a path leads to, or null when it leads to nothing. */
  stat(path: string): FileStat | null {
    const stat = attempt(() => {
      const host = this.#host(path)
      const stat = statSync(host)
      const gid = Number(this.#sidecar(host, 'gid') ?? stat.gid)
      return {
        kind: kindOf(stat),
        mode: stat.mode & 0o7777,
        uid: stat.uid,
        gid: Number.isInteger(gid) ? gid : stat.gid,
        size: stat.size,
      }
    })
    return isFailure(stat) ? null : stat
  }

  exists(path: string): boolean {
    return this.stat(path) !== null
  }

  /** The target of a symbolic link as it is written, or null. */
  link(path: string): string | null {
    const target = attempt(() => {
      const folder = this.#isRooted(path) ? this.#inFolder(dirname(path)) : dirname(path)
      return readlinkSync(join(folder, basename(path)))
    })
    return isFailure(target) ? null : target
  }

  /** The path without symbolic links, or null when it leads to nothing. */
  realpath(path: string): string | null {
    const real = attempt(() => {
      if (!this.#isRooted(path)) return realpathSync(path)
      statSync(this.#host(path))
      return this.#links.resolve(path)
    })
    return isFailure(real) ? null : real
  }

  /**
   * Why a path leads to nothing although something is in its place: the first link on the way that leads nowhere.
   * @returns the link, and where it leads to at last; null when the path leads to a file or no link is on the way
   */
  deadLink(path: string): { link: string; target: string } | null {
    if (this.exists(path)) return null
    let link: string | null = null
    for (let place = path; place !== dirname(place) && !this.exists(place); place = dirname(place))
      if (this.link(place) !== null) link = place
    if (link === null) return null
    const seen = new Set<string>()
    for (let place = link; ; ) {
      const target = this.link(place)
      if (target === null || seen.has(place)) return { link, target: place }
      seen.add(place)
      place = resolve(dirname(place), target)
    }
  }

  /** Whether an empty file of a made machine stands for a whole one. */
  standsIn(path: string): boolean {
    return this.#isRooted(path) && this.stat(path)?.size === 0 && this.isHollow(dirname(path))
  }

  /** Whether all files in a folder are empty, as those of the stand-ins of a made machine are. */
  isHollow(folder: string): boolean {
    const known = this.#hollow.get(folder)
    if (known !== undefined) return known
    const hollow = this.list(folder).every((name) => {
      const stat = this.stat(join(folder, name))
      return stat?.kind !== 'file' || stat.size === 0
    })
    this.#hollow.set(folder, hollow)
    return hollow
  }

  /** Opens a file for reading. The caller closes it. */
  open(path: string): OpenFile | Failure {
    return this.#attempt(() => {
      const descriptor = openSync(this.#readable(path), READ_FLAGS)
      return {
        size: fstatSync(descriptor).size,
        at: (offset, length) => {
          const bytes = attempt(() => readAt(descriptor, offset, length))
          return isFailure(bytes) ? Buffer.alloc(0) : bytes
        },
        close: () => closeSync(descriptor),
      }
    })
  }

  /**
   * Tries to open a device node for reading and writing. Does not block the event loop: the driver may first have to wake up
   * a GPU.
   * @returns null if it opens, else why it does not
   */
  async openDevice(path: string): Promise<Failure | null> {
    try {
      const handle = await open(this.#readable(path), DEVICE_FLAGS)
      try {
        // A container runtime that is told to mount a device that the host lacks makes a plain file or folder of it.
        return this.isMade || (await handle.stat()).isCharacterDevice() ? null : { errno: 'ENODEV' }
      } finally {
        await handle.close()
      }
    } catch (error) {
      return failure(error)
    }
  }

  #attempt<T>(action: () => T | Failure): T | Failure {
    const result = attempt(action)
    if (isFailure(result) && (result.errno === 'EMFILE' || result.errno === 'ENFILE'))
      this.exhausted = result.errno
    return result
  }

  #isRooted(path: string): boolean {
    return this.isMade && SYSTEM_PATH.test(path) && !this.#own.some((folder) => isInside(path, folder))
  }

  /** The path of the running system that stands for a path of the machine. */
  #host(path: string): string {
    return this.#isRooted(path) ? this.#inFolder(path) : path
  }

  #inFolder(path: string): string {
    const real = this.#links.resolve(path)
    if (isFailure(real)) throw real
    return join(this.folder, real)
  }

  #readable(path: string): string {
    const host = this.#host(path)
    const errno = this.#sidecar(host, 'errno')
    if (errno !== null) throw { errno }
    return host
  }

  #sidecar(host: string, kind: 'errno' | 'gid'): string | null {
    const path = `${host}.${kind}`
    return this.isMade && existsSync(path) ? readFileSync(path, 'latin1').trim() : null
  }
}

/** Text of the machine as a message may show it: one line, without control characters, not too long. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
  return line.length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}…` : line
}

function attempt<T>(action: () => T | Failure): T | Failure {
  try {
    return action()
  } catch (error) {
    return failure(error)
  }
}

function failure(error: unknown): Failure {
  const { code, errno } = error as { code?: unknown; errno?: unknown }
  const name = typeof code === 'string' ? code : errno
  return { errno: typeof name === 'string' && /^E[A-Z0-9]+$/.test(name) ? name : 'EIO' }
}

function kindOf(stat: Stats): FileStat['kind'] {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'folder'
  return stat.isCharacterDevice() ? 'device' : 'other'
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

/** @param offset null reads on from where the file stands, as files of procfs need it */
function readAt(descriptor: number, offset: number | null, length: number): Buffer {
  let bytes = Buffer.allocUnsafe(Math.min(length, 4096))
  let count = 0
  for (;;) {
    const read = readSync(
      descriptor,
      bytes,
      count,
      bytes.length - count,
      offset === null ? null : offset + count,
    )
    count += read
    if (read === 0 || count === length) return bytes.subarray(0, count)
    if (count === bytes.length) {
      const longer = Buffer.allocUnsafe(Math.min(length, count * 4))
      bytes.copy(longer)
      bytes = longer
    }
  }
}
