import { createHash, randomUUID } from 'node:crypto'
import { constants, createReadStream, rmSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../../cache-folder.ts'
import { messageOf } from '../../kinds.ts'
import type { Pin } from '../preflight/visible-devices.ts'
import { type KeptOutcome, readKept } from './kept.ts'
import { decisiveVariables } from './variables.ts'

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
  /** PCI address of the GPU that is tried; null for the first one. */
  gpu: string | null
  /** Of the process before HIP starts. */
  environment: NodeJS.ProcessEnv
  pin: Pin
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id'
/** One of an older form is not found. */
const FORM = 2
/** No trial has as much to say. */
const LARGEST = 1 << 20

/** Verdicts that could not be written to disk, by name. */
const memory = new Map<string, KeptOutcome>()
let onChange: (name: string, outcome: KeptOutcome | null) => void = () => {}

/** Verdicts that only this process knows: for one that it starts. */
export function rememberedVerdicts(): [name: string, outcome: KeptOutcome][] {
  return [...memory]
}

/** Takes over what another process knows, or has forgotten (null). */
export function rememberVerdict(name: string, outcome: KeptOutcome | null): void {
  if (outcome === null) memory.delete(name)
  else memory.set(name, outcome)
}

/** Tells another process what this one remembers and forgets. */
export function shareVerdicts(tell: typeof onChange): void {
  onChange = tell
}

/** @returns the name under which the verdict about the subject is kept */
export async function verdictName(subject: VerdictSubject): Promise<string> {
  const key = {
    form: FORM,
    ...subject,
    environment: decisiveVariables(subject.environment),
    module: { path: subject.module, sha256: await hashFile(subject.module).catch(() => null) },
    runtime: await Promise.all(
      subject.runtime.map(async (path) => ({ path, changed: await changeTime(path) })),
    ),
    boot: await readFile(BOOT_ID, 'utf8').catch(() => ''),
  }
  return createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 32)
}

/** @returns what is kept, or null: what cannot be read or was not written by {@link writeVerdict} is not there */
export async function readVerdict(name: string): Promise<KeptOutcome | null> {
  const known = memory.get(name)
  if (known !== undefined) return known
  try {
    return readKept(JSON.parse(await readSmallFile(verdictPath(name))))
  } catch {
    return null
  }
}

/**
 * Keeps a verdict on disk, or for this process where that cannot be.
 * @returns what is in the way of the disk, or null
 */
export async function writeVerdict(name: string, outcome: KeptOutcome): Promise<string | null> {
  let temporary: string | undefined
  try {
    const path = verdictPath(name)
    temporary = `${path}.${randomUUID()}`
    await mkdir(dirname(path), { recursive: true })
    await writeFile(temporary, `${JSON.stringify(outcome, null, 2)}\n`)
    await rename(temporary, path)
    memory.delete(name)
    return null
  } catch (error) {
    if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => {})
    memory.set(name, outcome)
    onChange(name, outcome)
    return messageOf(error)
  }
}

/** Forgets a verdict. Done when it returns, since the process may be about to end. */
export function dropVerdict(name: string): void {
  if (memory.delete(name)) onChange(name, null)
  try {
    rmSync(verdictPath(name), { force: true })
  } catch {
    // Where nothing can be removed, nothing could be written.
  }
}

function verdictPath(name: string): string {
  return join(cacheFolder(), 'probe', `${name}.json`)
}

/** Never waits, whatever lies there. */
async function readSmallFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const { size } = await file.stat()
    if (size > LARGEST) throw new RangeError(`${path} is too large`)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
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
