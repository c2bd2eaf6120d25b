import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { buildSpeaking } from '../fixtures/speaking-model.ts'
import { buildWav } from '../native/wav.ts'

/** Programs of children/, run as applications run: with the library of dist/ (`npm run build:lib`). */

/** A folder of this test file's own. Its name has spaces, as those of users have. */
export const folder = mkdtempSync(join(tmpdir(), 'whisper hip child '))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What the programs find in their environment. */
export const materials = {
  /** The library. */
  ENTRY: join(packageRoot(), 'dist/index.js'),
  ADDON: addon().path,
  /** A model that talks without a pause; its encoder takes no time. */
  SMALL_MODEL: join(folder, 'small.bin'),
  /** A model as large as base, of which loading and encoding take a while. */
  SLOW_MODEL: join(folder, 'slow.bin'),
  /** An hour of silence. */
  LONG_AUDIO: join(folder, 'hour.wav'),
}

/** Makes the {@link materials}; call it in `beforeAll`. */
export function makeMaterials(): void {
  const script = Array.from({ length: 8 }, (_, i) => ({
    text: ` This is number ${i}.`,
    start: 3 * i,
    end: 3 * i + 3,
  }))
  writeFileSync(materials.SMALL_MODEL, buildSpeaking({ script, audioContext: 64, layers: 1 }))
  writeFileSync(materials.SLOW_MODEL, buildSpeaking({ script, state: 512, heads: 8, layers: 6 }))
  const bytes = 3600 * 32_000
  const header = buildWav({
    format: 1,
    bits: 16,
    data: new Uint8Array(0),
    dataSize: bytes,
    riffSize: bytes + 36,
  })
  writeFileSync(materials.LONG_AUDIO, header)
  truncateSync(materials.LONG_AUDIO, header.length + bytes)
}

/** How a child process ended, and what it printed. */
export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** Seconds from the first line "now", or from the start where there was none, to the end. */
  seconds: number
}

export interface ChildOptions {
  nodeArgs?: readonly string[]
  env?: Readonly<Record<string, string>>
  /** Sent at the first line "now". */
  signal?: NodeJS.Signals
  /** Shell commands before the program, e.g. to set limits. */
  before?: string
  /** Closes the reading end of its stdout at once. */
  deaf?: boolean
  /** Seconds after which it is killed; default 30. */
  patience?: number
}

/** Runs a program to its end. */
export function runChild(
  program: string,
  args: readonly string[] = [],
  options: ChildOptions = {},
): Promise<Ended> {
  const { nodeArgs = [], env = {}, signal, before = '', deaf = false, patience = 30 } = options
  const path = join(import.meta.dirname, 'children', program)
  const command = [process.execPath, ...nodeArgs, path, ...args]
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', `ulimit -c 0; ${before} exec "$0" "$@"`, ...command], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...materials, ...env },
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), 1000 * patience)
    const ended = { stdout: '', stderr: '' }
    let since = performance.now()
    let acted = false
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      ended.stdout += text
      if (acted || !/^now$/m.test(ended.stdout)) return
      acted = true
      since = performance.now()
      if (signal !== undefined) child.kill(signal)
    })
    if (deaf) child.stdout.destroy()
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      ended.stderr += text
    })
    child.once('error', reject)
    child.once('close', (code, ending) => {
      clearTimeout(timer)
      resolve({ ...ended, code, signal: ending, seconds: (performance.now() - since) / 1000 })
    })
  })
}
