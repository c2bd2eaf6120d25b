#!/usr/bin/env node
// @ts-check
/**
 * Obtains the recordings that the speech tests and the benchmarks use: `node scripts/test-material.mjs [NAME…]`.
 *
 * They lie inside ordinary packages of npm, PyPI and Debian, which `test/fixtures/material.json` lists with the sha256 of
 * every file used. They are kept in the cache, in `test-material/`, and never committed.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { joinWav } from './support/join-wav.mjs'
import { withLock } from './support/lock.mjs'
import { packageRoot } from './support/package.mjs'
import { filesOf } from './support/package-clients.mjs'
import { BuildError, isMain, log, run } from './support/script.mjs'
import { sha256 } from './vendor.mjs'

/**
 * @typedef {{ package: string, path: string, sha256: string }} PackagedFile
 * @typedef {{ join: string[], sha256: string }} JoinedFile recordings one after the other, with pauses
 * @typedef {string | { file: string, pattern?: string }} Text what is said, or where it is written: a file, or the first group
 *   of a pattern in it
 * @typedef {object} Manifest
 * @property {Record<string, import('./support/package-clients.mjs').Package>} packages
 * @property {Record<string, PackagedFile | JoinedFile>} files by their names in the cache
 * @property {Record<string, Text>} texts by the names of the recordings
 */

/** @returns {Promise<Manifest>} */
async function readManifest() {
  return JSON.parse(await readFile(join(packageRoot, 'test', 'fixtures', 'material.json'), 'utf8'))
}

/** The cache of the library, beside its models. */
export function cacheFolder() {
  const { WHISPER_HIP_CACHE, XDG_CACHE_HOME } = process.env
  if (WHISPER_HIP_CACHE) return resolve(WHISPER_HIP_CACHE)
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'whisper-hip')
}

const materialFolder = () => join(cacheFolder(), 'test-material')

/**
 * Path of a recording in the cache, fetched or joined first when it is not there or was changed.
 * @param {string} name a key of `files` in the manifest
 * @param {(line: string) => void} [tell]
 * @returns {Promise<string>}
 */
export async function material(name, tell = () => {}) {
  const manifest = await readManifest()
  const file = fileOf(manifest, name)
  const path = join(materialFolder(), name)
  if (await holds(path, file.sha256)) return path
  await ('join' in file ? joinFiles(name, file, tell) : fetchPackage(manifest, file.package, tell))
  return path
}

/**
 * What is said in a recording, as its package writes it; of a joined one, the texts of its parts.
 * @param {string} name
 * @returns {Promise<string>}
 */
export async function materialText(name) {
  const manifest = await readManifest()
  const file = fileOf(manifest, name)
  if ('join' in file) return (await Promise.all(file.join.map(materialText))).join(' ')
  const text = manifest.texts[name]
  if (text === undefined) throw new BuildError(`material.json has no text of ${name}`)
  if (typeof text === 'string') return text
  const content = (await readFile(await material(text.file), 'utf8')).trim()
  if (text.pattern === undefined) return content
  const match = content.match(new RegExp(text.pattern))?.[1]
  if (match === undefined) throw new BuildError(`${text.file} does not match ${text.pattern}`)
  return match
}

/** @param {Manifest} manifest @param {string} name */
function fileOf(manifest, name) {
  const file = manifest.files[name]
  if (file === undefined)
    throw new BuildError(
      `material.json has no file ${name}; it has ${Object.keys(manifest.files).join(', ')}`,
    )
  return file
}

/** @param {string} path @param {string} digest */
async function holds(path, digest) {
  const bytes = await readFile(path).catch(() => null)
  return bytes !== null && sha256(bytes) === digest
}

/**
 * Puts every listed file of a package into the cache.
 * @param {Manifest} manifest
 * @param {string} name
 * @param {(line: string) => void} tell
 */
async function fetchPackage(manifest, name, tell) {
  const source = manifest.packages[name]
  if (source === undefined) throw new BuildError(`material.json has no package ${name}`)
  const wanted = Object.entries(manifest.files).flatMap(([target, file]) =>
    'package' in file && file.package === name ? [{ target, file }] : [],
  )
  const folder = materialFolder()
  await withLock(
    join(folder, name),
    () => tell(`another process is fetching ${source.package}; waiting for it`),
    async () => {
      const there = await Promise.all(
        wanted.map(({ target, file }) => holds(join(folder, target), file.sha256)),
      )
      if (there.every(Boolean)) return
      tell(`fetching ${source.package} (${source.type})`)
      const scratch = join(folder, `.${randomUUID()}`)
      await mkdir(scratch, { recursive: true })
      try {
        const contents = await filesOf(
          source,
          wanted.map(({ file }) => file.path),
          scratch,
        )
        for (const [i, { target, file }] of wanted.entries())
          await place(target, /** @type {Buffer} */ (contents[i]), file.sha256)
      } finally {
        await rm(scratch, { recursive: true, force: true })
      }
    },
  )
}

/**
 * @param {string} name
 * @param {JoinedFile} file
 * @param {(line: string) => void} tell
 */
async function joinFiles(name, file, tell) {
  /** @type {Buffer[]} */
  const clips = []
  for (const part of file.join) clips.push(await readFile(await material(part, tell)))
  await place(name, joinWav(clips), file.sha256)
}

/**
 * @param {string} name
 * @param {Buffer} bytes
 * @param {string} expected
 */
async function place(name, bytes, expected) {
  const digest = sha256(bytes)
  if (digest !== expected) throw new BuildError(`The sha256 of ${name} is ${digest} instead of ${expected}`)
  const path = join(materialFolder(), name)
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${randomUUID()}`
  await writeFile(temporary, bytes)
  await rename(temporary, path)
}

if (isMain(import.meta.url)) {
  await run(async () => {
    const names = process.argv.slice(2)
    for (const name of names.length > 0 ? names : Object.keys((await readManifest()).files))
      console.log(await material(name, log))
  })
}
