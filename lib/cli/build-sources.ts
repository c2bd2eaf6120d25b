import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderOfPackage } from '../backend/installed.ts'
import { packageVersion } from '../backend/package-root.ts'
import { cacheFolder } from '../cache-folder.ts'
import { WhisperHipError } from '../errors.ts'

const PACKAGE = '@whisper-hip/source'
const SCRIPT = join('scripts', 'build.mjs')

/**
 * The folder with the sources of the native parts: this package in a checkout, else a package of its own. That one is fetched into the cache
 * where it is not installed.
 * @param root folder of this package
 * @throws {@link WhisperHipError} `ERR_NATIVE_MISSING` if it cannot be fetched; `signal.reason`
 */
export async function buildSources(root: string, signal: AbortSignal): Promise<string> {
  if (existsSync(join(root, SCRIPT))) return root
  const version = packageVersion(root)
  const cache = join(cacheFolder(), 'source', version)
  const installed = folderOfPackage(PACKAGE, root)
  for (const folder of [installed, join(cache, 'node_modules', PACKAGE)])
    if (folder !== null && isOf(folder, version)) return folder
  return fetchSources(cache, version, signal)
}

function isOf(folder: string, version: string): boolean {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version === version
  } catch {
    return false
  }
}

/** By npm, which has the user's registry and proxy, and comes with Node. No script of a package runs. */
async function fetchSources(cache: string, version: string, signal: AbortSignal): Promise<string> {
  const what = `${PACKAGE}@${version}`
  mkdirSync(cache, { recursive: true })
  writeFileSync(join(cache, 'package.json'), '{ "private": true }\n')
  process.stderr.write(`whisper-hip: fetching ${what} into ${cache}\n`)
  const problem = await runNpm(
    ['install', what, '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'],
    cache,
    signal,
  )
  signal.throwIfAborted()
  const folder = join(cache, 'node_modules', PACKAGE)
  if (problem === null && isOf(folder, version)) return folder
  throw new WhisperHipError(
    'ERR_NATIVE_MISSING',
    `The sources to compile, ${what}, could not be fetched: ${problem ?? 'npm has installed something else'}`,
    {
      advice: [
        `Install them beside whisper-hip where the network is, then build again: npm install ${what}`,
        'Or compile in a checkout of whisper-hip: npm install',
      ],
    },
  )
}

/** @returns null, or what went wrong */
function runNpm(args: readonly string[], cwd: string, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn('npm', args, { cwd, stdio: ['ignore', 2, 2], signal, killSignal: 'SIGTERM' })
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, ended) => resolve(code === 0 ? null : `npm ended with ${ended ?? code}`))
  })
}
