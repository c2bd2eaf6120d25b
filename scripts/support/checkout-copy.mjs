// @ts-check
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BuildError } from './script.mjs'

/** What a copy keeps of its own from one time to the next, so that only changes are compiled. */
const OWN = ['build', 'dist', 'node_modules', 'prebuilds']

/**
 * Makes `copy` a copy of a checkout: its files that git knows or would add, and the vendored trees.
 * @param {string} root the checkout
 * @param {string} copy
 */
export function copyCheckout(root, copy) {
  const listing = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (listing.status !== 0)
    throw new BuildError(
      `${root} is not a checkout (git ls-files: ${listing.stderr?.trim() || listing.error?.message}).`,
    )
  mkdirSync(copy, { recursive: true })
  for (const name of readdirSync(copy))
    if (!OWN.includes(name)) rmSync(join(copy, name), { recursive: true, force: true })

  const trees = readdirSync(join(root, 'vendor'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )
  const paths = [
    ...new Set(listing.stdout.split('\0').filter(Boolean)),
    ...trees.map(({ name }) => join('vendor', name)),
  ]
  for (const path of paths) {
    if (!existsSync(join(root, path))) continue // removed, and not yet from the index
    mkdirSync(dirname(join(copy, path)), { recursive: true })
    cpSync(join(root, path), join(copy, path), { recursive: true, preserveTimestamps: true })
  }
}
