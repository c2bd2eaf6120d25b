#!/usr/bin/env node
// @ts-check
/**
 * Puts the pinned third-party tree of `vendor/<name>.json` under `vendor/<name>/`.
 *
 *   node scripts/vendor.mjs          verify what is there; fetch and replace it when it is not exactly the manifest
 *   node scripts/vendor.mjs --pin    rewrite the manifest's hashes from its first source (for a new version)
 *
 * Only files that the manifest names are taken from an archive, each checked by length and sha256 and written to the
 * manifest's path, so that an archive decides nothing about where bytes land. The tree is built in a temporary folder
 * and renamed into place: other processes see a whole tree or none.
 */
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { readArchive } from './support/archive.mjs'
import { withLock } from './support/lock.mjs'
import { packageRoot } from './support/package.mjs'
import { BuildError, isMain, log, run } from './support/script.mjs'
import { describeSource, fetchSource } from './support/sources.mjs'

/**
 * @typedef {{ sha256: string, bytes: number, group: string }} VendoredFile
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {import('./support/sources.mjs').Source[]} sources in the order in which they are tried
 * @property {Record<string, string[]>} select group -> patterns (`*` within a folder), read by `--pin`.
 *   `build` is what is published, to be compiled or read, `test` is what only a checkout has
 * @property {Record<string, VendoredFile>} files
 */

/** @param {string} path @returns {Promise<Manifest>} */
export async function readManifest(path) {
  const manifest = JSON.parse(await readFile(path, 'utf8'))
  for (const [file, { sha256, bytes, group }] of Object.entries(manifest.files)) {
    if (file.startsWith('/') || file.split('/').includes('..') || file.includes('\\'))
      throw new Error(`${path}: expected a relative path inside the tree but found '${file}'`)
    if (!/^[0-9a-f]{64}$/.test(sha256) || !Number.isSafeInteger(bytes) || !manifest.select[group])
      throw new Error(`${path}: the entry of '${file}' needs sha256, bytes and a known group`)
  }
  return manifest
}

/** @param {Uint8Array} bytes */
export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')

/**
 * Compares a folder with the manifest, contents and all.
 * @param {string} folder
 * @param {Record<string, VendoredFile>} files
 * @returns {Promise<string[]>} one sentence per difference; empty when they are equal
 */
export async function differences(folder, files) {
  const found = new Set()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []))
    if (!entry.isDirectory()) found.add(relative(folder, join(entry.parentPath, entry.name)))
  /** @type {string[]} */
  const result = []
  for (const [path, file] of Object.entries(files)) {
    if (!found.delete(path)) result.push(`${path} is missing`)
    else if (sha256(await readFile(join(folder, path))) !== file.sha256) result.push(`${path} was changed`)
  }
  for (const path of found) result.push(`${path} is not in the manifest`)
  return result
}

/**
 * @param {Buffer | undefined} bytes
 * @param {string} path
 * @param {VendoredFile} file
 */
function checkFile(bytes, path, file) {
  if (!bytes) throw new Error(`it does not contain ${path}`)
  if (bytes.length !== file.bytes)
    throw new Error(`${path} has ${bytes.length} bytes instead of ${file.bytes}`)
  if (sha256(bytes) !== file.sha256) throw new Error(`${path} has another sha256 than the manifest`)
}

/**
 * Fetches the tree from the first source that yields every file of the manifest, into `folder`.
 * @param {Manifest} manifest
 * @param {string} folder
 * @param {(line: string) => void} tell
 */
async function fetchTree(manifest, folder, tell) {
  /** @type {string[]} */
  const failures = []
  for (const source of manifest.sources) {
    const name = describeSource(source)
    try {
      tell(`fetching ${manifest.name} ${manifest.version} from ${name}`)
      const archive = await fetchSource(source, folder)
      const wanted = new Map(Object.keys(manifest.files).map((path) => [`${source.root}/${path}`, path]))
      const contents = await readArchive(archive, (member) => wanted.has(member))
      await rm(archive)
      for (const [member, path] of wanted) {
        const bytes = contents.get(member)
        checkFile(bytes, path, /** @type {VendoredFile} */ (manifest.files[path]))
        await mkdir(dirname(join(folder, 'tree', path)), { recursive: true })
        await writeFile(join(folder, 'tree', path), /** @type {Buffer} */ (bytes))
      }
      return
    } catch (error) {
      failures.push(`  ${name}: ${error instanceof Error ? error.message : error}`)
      await rm(join(folder, 'tree'), { recursive: true, force: true })
    }
  }
  throw new BuildError(
    [`${manifest.name} ${manifest.version} could not be obtained from any source:`, ...failures].join('\n'),
  )
}

/**
 * Makes `vendor/<name>/` equal to its manifest.
 * @param {string} vendorFolder
 * @param {string} name
 * @param {(line: string) => void} tell
 * @returns {Promise<'present' | 'fetched'>}
 */
export async function vendor(vendorFolder, name, tell = () => {}) {
  const manifest = await readManifest(join(vendorFolder, `${name}.json`))
  const target = join(vendorFolder, name)
  const complete = async () => (await differences(target, manifest.files)).length === 0
  if (await complete()) return 'present'

  const onWait = () => tell(`another process is fetching ${target}; waiting for it`)
  return withLock(target, onWait, async () => {
    if (await complete()) return 'present'
    const temporary = join(vendorFolder, `.${name}-${randomUUID()}`)
    await mkdir(temporary, { recursive: true })
    try {
      await fetchTree(manifest, temporary, tell)
      await rename(target, join(temporary, 'old')).catch(ignoreMissing)
      await rename(join(temporary, 'tree'), target)
      return 'fetched'
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
  })
}

/** What the build compiles. */
const compiled = ['whisper.cpp', 'zlib']
/** What the library reads, and what does not work without it. */
const read = {
  'silero-vad': 'speech detection does not work',
  'whisper-vocabulary': "OpenAI's .pt files do not load",
}
const trees = [...compiled, ...Object.keys(read)]

/**
 * Makes every tree under `vendor/` equal to its manifest.
 * @param {string} vendorFolder
 * @param {(line: string) => void} tell
 */
export async function vendorAll(vendorFolder, tell) {
  for (const name of trees) await vendor(vendorFolder, name, tell)
}

/**
 * The same for an installation, which does not fail for want of what is only read: that comes by pip, which not every machine has.
 * @param {string} vendorFolder
 * @param {(line: string) => void} tell
 */
export async function vendorToInstall(vendorFolder, tell) {
  for (const name of compiled) await vendor(vendorFolder, name, tell)
  for (const [name, loss] of Object.entries(read))
    await vendor(vendorFolder, name, tell).catch((error) => {
      tell(`${error.message}\nUntil node scripts/vendor.mjs succeeds, ${loss}`)
    })
}

/** @param {NodeJS.ErrnoException} error */
function ignoreMissing(error) {
  if (error.code !== 'ENOENT') throw error
}

/**
 * Recomputes the manifest's file list from its first source.
 * @param {string} path
 */
async function pin(path) {
  const manifest = await readManifest(path)
  const source = manifest.sources[0]
  if (!source) throw new Error(`${path} names no source`)
  const patterns = Object.entries(manifest.select).flatMap(([group, list]) =>
    list.map((pattern) => ({ group, expression: patternExpression(pattern) })),
  )
  const temporary = join(dirname(path), `.pin-${randomUUID()}`)
  await mkdir(temporary)
  try {
    const archive = await fetchSource(source, temporary)
    const contents = await readArchive(archive, (member) => member.startsWith(`${source.root}/`))
    manifest.files = {}
    for (const [member, bytes] of [...contents].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const file = member.slice(source.root.length + 1)
      const match = patterns.find(({ expression }) => expression.test(file))
      if (match) manifest.files[file] = { sha256: sha256(bytes), bytes: bytes.length, group: match.group }
    }
    await writeFile(path, `${JSON.stringify(manifest, null, 2)}\n`)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** @param {string} pattern */
function patternExpression(pattern) {
  return new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`)
}

if (isMain(import.meta.url)) {
  const vendorFolder = join(packageRoot, 'vendor')
  await run(async () => {
    if (!process.argv.includes('--pin')) return vendorAll(vendorFolder, log)
    for (const name of trees) await pin(join(vendorFolder, `${name}.json`))
  })
}
