import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../../cache-folder.ts'
import { log } from '../../log.ts'
import type { Pin } from '../preflight/visible-devices.ts'
import type { ProbeOutcome } from './protocol.ts'

/** What a verdict depends on: when any of it changes, the GPU is tried again. */
export interface VerdictSubject {
  /** Version of this package. */
  version: string
  /** Absolute path of the HIP module. */
  module: string
  /** Paths of the ROCm libraries that the loader gives it. */
  runtime: readonly string[]
  /** The GPUs, as the kernel describes them. */
  topology: unknown
  /** Of the process before HIP starts. */
  environment: NodeJS.ProcessEnv
  pin: Pin
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id'
/** One of an older form is not read. */
const FORM = 1

/** @returns the path of the file that holds the verdict about the subject */
export async function verdictPath(subject: VerdictSubject): Promise<string> {
  const key = {
    form: FORM,
    ...subject,
    environment: decisiveVariables(subject.environment),
    module: { path: subject.module, sha256: await hashFile(subject.module) },
    runtime: await Promise.all(
      subject.runtime.map(async (path) => ({ path, changed: await changeTime(path) })),
    ),
    boot: await readFile(BOOT_ID, 'utf8').catch(() => ''),
  }
  const name = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 32)
  return join(cacheFolder(), 'probe', `${name}.json`)
}

/** Variables that ROCm, the loader, ggml and this library read. */
const READ_BY_ROCM = /^(AMD|COMGR|CUDA|DXG|GGML|GPU|HCC|HIP|HSA|LD|ROC|TENSILE|WHISPER_HIP|XNACK)_?/
/** What differs from shell to shell and means nothing. */
const NOISE = /^(npm_.*|_|OLDPWD|PWD|SHLVL|INIT_CWD|TERM.*|COLUMNS|LINES|COLORTERM|WHISPER_HIP_CACHE)$/

/** A module that the user names may read variables that only its maker knows: for it any difference counts. */
function decisiveVariables(environment: NodeJS.ProcessEnv): [string, string | undefined][] {
  const counts = environment.WHISPER_HIP_LIBRARY
    ? (name: string) => !NOISE.test(name)
    : (name: string) => READ_BY_ROCM.test(name) && !NOISE.test(name)
  return Object.entries(environment)
    .filter(([name]) => counts(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

export async function readVerdict(path: string): Promise<ProbeOutcome | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    return isOutcome(value) ? value : null
  } catch {
    return null
  }
}

/** A verdict that cannot be kept is given all the same: the next process tries again. */
export async function writeVerdict(path: string, outcome: ProbeOutcome): Promise<void> {
  const temporary = `${path}.${randomUUID()}`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(temporary, `${JSON.stringify(outcome, null, 2)}\n`)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    log(
      'warn',
      `The answer of the GPU probe cannot be kept in ${path}: ${error instanceof Error ? error.message : error}`,
    )
  }
}

function isOutcome(value: unknown): value is ProbeOutcome {
  if (typeof value !== 'object' || value === null) return false
  const { stages, devices, exit, stderr } = value as Partial<ProbeOutcome>
  return (
    Array.isArray(stages) &&
    stages.every(({ name, ok }) => typeof name === 'string' && typeof ok === 'boolean') &&
    Array.isArray(devices) &&
    typeof exit?.kind === 'string' &&
    typeof stderr === 'string'
  )
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

async function changeTime(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  )
}
