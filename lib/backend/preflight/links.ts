import { lstatSync, readlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Failure } from './failure.ts'

const LINK_LIMIT = 40

/** Follows symbolic links as if a folder were the root of the file system: none of them leads out of it. */
export class RootedLinks {
  readonly #root: string
  /** Folders are asked for again and again. */
  readonly #folders = new Map<string, string | Failure>()

  /** @param root absolute path of the folder */
  constructor(root: string) {
    this.#root = root
  }

  /**
   * @param path absolute, as seen from the root
   * @returns the path without links, as seen from the root; it leads to a file or to nothing
   */
  resolve(path: string): string | Failure {
    return this.#resolve(path, { links: 0 })
  }

  #resolve(path: string, followed: { links: number }): string | Failure {
    if (path === '/') return '/'
    const folder = this.#folder(dirname(path), followed)
    if (typeof folder !== 'string') return folder
    const name = basename(path)
    if (name === '..') return dirname(folder)
    if (name === '.') return folder

    const place = join(folder, name)
    const host = join(this.#root, place)
    try {
      if (!lstatSync(host, { throwIfNoEntry: false })?.isSymbolicLink()) return place
      if (++followed.links > LINK_LIMIT) return { errno: 'ELOOP' }
      const target = readlinkSync(host)
      // Not joined: `..` counts from where the parts before it lead to.
      return this.#resolve(target.startsWith('/') ? target : `${folder}/${target}`, followed)
    } catch (error) {
      return { errno: (error as NodeJS.ErrnoException).code ?? 'EIO' }
    }
  }

  #folder(path: string, followed: { links: number }): string | Failure {
    const known = this.#folders.get(path)
    if (known !== undefined) return known
    const resolved = this.#resolve(path, followed)
    this.#folders.set(path, resolved)
    return resolved
  }
}
