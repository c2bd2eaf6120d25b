import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sameCommandsAbove } from '../../../lib/host/ancestors.ts'
import { killAtExit, killTree } from '../../../lib/host/kill-tree.ts'

let folder: string
const started: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'host processes '))
})
afterEach(() => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

/** A shell with this script, in which `$P` is a file for numbers of processes. */
function shell(script: string, detached = false): ChildProcess {
  const child = spawn('sh', ['-c', script], {
    detached,
    stdio: 'ignore',
    env: { ...process.env, P: join(folder, 'pids') },
  })
  started.push(child)
  return child
}

async function numbers(count: number): Promise<number[]> {
  const path = join(folder, 'pids')
  const read = () => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [])
  await expect.poll(read, { timeout: 15_000 }).toHaveLength(count)
  return read().map(Number)
}

/** Whether it runs: not ended, nor dead and not yet waited for. */
function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

describe('killing a process with all that it started', () => {
  it.each([
    ['children and theirs', 'sh -c "sleep 60 & echo \\$! >> \\"\\$P\\"; wait" & echo $! >> "$P"; wait'],
    [
      'one in a session of its own',
      'setsid sh -c "echo \\$\\$ >> \\"\\$P\\"; exec sleep 60" & echo $$ >> "$P"; wait',
    ],
  ])('reaches %s', async (_, script) => {
    const child = shell(script)
    const pids = await numbers(2)
    killTree(child.pid as number)
    for (const pid of [child.pid as number, ...pids]) await expect.poll(() => runs(pid)).toBe(false)
  })

  it('reaches one whose parent has ended, in the session of the first', async () => {
    const child = shell('sh -c "sleep 60 & echo \\$! >> \\"\\$P\\""; echo $$ >> "$P"; exec sleep 60', true)
    const pids = await numbers(2)
    killTree(child.pid as number)
    for (const pid of pids) await expect.poll(() => runs(pid)).toBe(false)
  })

  it('leaves others alone', async () => {
    const other = shell('echo $$ >> "$P"; exec sleep 60')
    await numbers(1)
    const child = shell('exec sleep 60')
    killTree(child.pid as number)
    await expect.poll(() => child.signalCode).toBe('SIGKILL')
    expect(runs(other.pid as number)).toBe(true)
  })

  it('at the end of this process can be taken back', () => {
    const before = process.listenerCount('exit')
    const undo = killAtExit(2 ** 30)
    expect(process.listenerCount('exit')).toBe(before + 1)
    undo()
    expect(process.listenerCount('exit')).toBe(before)
  })
})

describe('processes above one with its command line', () => {
  it('are none above an ordinary one', async () => {
    const child = shell('echo $$ >> "$P"; exec sleep 60')
    await numbers(1)
    expect(sameCommandsAbove(child.pid)).toBe(0)
    expect(sameCommandsAbove(2 ** 30)).toBe(0)
  })

  it('are counted, with others between them', async () => {
    // Each starts the same command through a launcher, until there are four.
    const script = join(folder, 'again')
    writeFileSync(script, 'echo $$ >> "$P"; [ $(wc -l < "$P") -lt 4 ] || exec sleep 60; sh "$0-launcher"')
    writeFileSync(`${script}-launcher`, `sh '${script}'; true`)
    const child = spawn('sh', [script], { stdio: 'ignore', env: { ...process.env, P: join(folder, 'pids') } })
    started.push(child)
    const pids = await numbers(4)
    // The last one has become another program.
    expect(pids.slice(0, 3).map((pid) => sameCommandsAbove(pid))).toEqual([0, 1, 2])
    killTree(child.pid as number)
  })
})
