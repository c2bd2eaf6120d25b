import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { packageRoot } from '../../lib/backend/package-root.ts'
import type { Ended } from './child.ts'

/** The command line of dist/ (`npm run build:lib`). */
export const cli = join(packageRoot(), 'dist/cli.js')

export interface CliOptions {
  cwd?: string
  env?: Readonly<Record<string, string | undefined>>
  /** Bytes for its standard input; absent: none. */
  input?: Uint8Array
  /** Shell commands before the program, e.g. to send its output elsewhere. */
  before?: string
  /** Sent when it has printed something, or when `when` is found on its stderr. */
  signal?: NodeJS.Signals
  when?: string
  /** So many milliseconds after that; absent: at once. */
  delay?: number
  /** Sent once more so many milliseconds later. */
  again?: number
  /** Sent after so many seconds in any case. */
  after?: number
  /** Closes the reading end of its stdout at the first output. */
  leave?: boolean
  program?: string
  /** After so many it is killed; absent: 60. */
  seconds?: number
}

/** Runs the command line to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
  const { cwd = packageRoot(), env = {}, input, before = '', signal, when, after, leave = false } = options
  const command = [process.execPath, options.program ?? cli, ...args]
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', `ulimit -c 0; ${before} exec "$0" "$@"`, ...command], {
      cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), 1000 * (options.seconds ?? 60))
    const ended = { stdout: '', stderr: '' }
    let since = performance.now()
    let acted = false
    const act = () => {
      if (acted) return
      acted = true
      if (options.delay === undefined) send()
      else setTimeout(send, options.delay)
    }
    const send = () => {
      since = performance.now()
      if (signal !== undefined) child.kill(signal)
      if (options.again !== undefined) setTimeout(() => child.kill(signal), options.again)
      if (leave) child.stdout.destroy()
    }
    if (after !== undefined) setTimeout(act, after * 1000)
    child.stdin.on('error', () => {}) // it need not read what it does not want
    child.stdin.end(input)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      ended.stdout += text
      if (when === undefined) act()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      ended.stderr += text
      if (when !== undefined && ended.stderr.includes(when)) act()
    })
    child.once('error', reject)
    child.once('close', (code, ending) => {
      clearTimeout(timer)
      resolve({ ...ended, code, signal: ending, seconds: (performance.now() - since) / 1000 })
    })
  })
}
