// @ts-check
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** What a build reads, relative to the package. */
const INPUTS = [
  'CMakeLists.txt',
  'binding',
  'scripts/build.mjs',
  'scripts/support',
  'vendor/whisper.cpp',
  'vendor/zlib',
]
/** Of the vendored tree only what compiles; a published package has nothing else of it. */
const NOT_COMPILED = [
  'vendor/whisper.cpp/bindings',
  'vendor/whisper.cpp/samples',
  'vendor/whisper.cpp/models',
]

/**
 * Identifies a build: equal hashes mean equal sources and options, hence nothing to compile.
 * @param {string} root the package
 * @param {object} options everything else that decides the outcome, as JSON
 * @returns {string} sha256, hexadecimal
 */
export function hashSources(root, options) {
  const hash = createHash('sha256').update(JSON.stringify(options))
  for (const path of INPUTS.flatMap((input) => listFiles(join(root, input))).sort()) {
    const name = relative(root, path)
    if (NOT_COMPILED.some((folder) => name.startsWith(`${folder}/`))) continue
    const bytes = readFileSync(path)
    hash.update(`\0${name}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest('hex')
}

/** @param {string} path @returns {string[]} */
function listFiles(path) {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
      const child = join(path, entry.name)
      return entry.isDirectory() ? listFiles(child) : [child]
    })
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOTDIR') return [path]
    throw error
  }
}
