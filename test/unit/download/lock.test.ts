import { spawn } from 'node:child_process'
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withLock } from '../../../lib/model/download/lock.ts'
import { temporaryFolder } from './server.ts'

const never = async () => undefined

async function thisSpace(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
  return `${boot.trim()} ${await readlink('/proc/self/ns/pid')}`
}

async function startedAt(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8')
  return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

describe('withLock', () => {
  it('lets one at a time work, in this thread too, and leaves nothing', async () => {
    const folder = await temporaryFolder()
    let inside = 0
    const work = async (result: number) => {
      inside++
      expect(inside).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 20))
      inside--
      return result
    }
    const path = join(folder, 'x.lock')
    const results = await Promise.all([1, 2, 3].map((n) => withLock(path, { ready: never }, () => work(n))))
    expect(results).toEqual([1, 2, 3])
    expect(await readdir(folder)).toEqual([])
  })

  it('gives those who waited the result of the one who worked', async () => {
    const path = join(await temporaryFolder(), 'x.lock')
    let made: string | undefined
    let runs = 0
    const ask = () =>
      withLock(path, { ready: async () => made }, async () => {
        runs++
        await new Promise((resolve) => setTimeout(resolve, 20))
        made = 'made'
        return made
      })
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(['made', 'made', 'made'])
    expect(runs).toBe(1)
  })

  it('is released when the work fails', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'x.lock')
    const failure = new Error('mine')
    await expect(withLock(path, { ready: never }, () => Promise.reject(failure))).rejects.toBe(failure)
    expect(await readdir(folder)).toEqual([])
  })

  it('waits for a living holder until the signal aborts', async () => {
    const path = join(await temporaryFolder(), 'x.lock')
    const holder = {
      token: 't',
      pid: process.pid,
      started: await startedAt(process.pid),
      space: await thisSpace(),
    }
    await writeFile(path, JSON.stringify(holder))
    const reason = new Error('enough')
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), 150)
    const options = { ready: never, signal: controller.signal }
    await expect(withLock(path, options, async () => 'worked')).rejects.toBe(reason)
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(holder)
  })

  it('takes over at once from a process that is gone', async () => {
    const path = join(await temporaryFolder(), 'x.lock')
    const child = spawn('sleep', ['10'])
    const pid = child.pid ?? 0
    const holder = { token: 't', pid, started: await startedAt(pid), space: await thisSpace() }
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    await writeFile(path, JSON.stringify(holder))
    expect(await withLock(path, { ready: never }, async () => 'worked')).toBe('worked')
  })

  it('takes over at once from a process whose id was given to another one', async () => {
    const path = join(await temporaryFolder(), 'x.lock')
    await writeFile(
      path,
      JSON.stringify({ token: 't', pid: process.pid, started: '1', space: await thisSpace() }),
    )
    expect(await withLock(path, { ready: never }, async () => 'worked')).toBe('worked')
  })

  it.each([
    ['a holder of another machine', JSON.stringify({ token: 't', pid: 1, started: '1', space: 'elsewhere' })],
    ['an empty file', ''],
    ['something else', '{"pid": -1, "token": 4'],
  ])('takes over from %s only after it has shown no sign of life', async (_name, content) => {
    const path = join(await temporaryFolder(), 'x.lock')
    await writeFile(path, content)
    const start = performance.now()
    await withLock(path, { ready: never, staleMs: 250 }, async () => 'worked')
    expect(performance.now() - start).toBeGreaterThan(240)
  })

  it('lets one of many waiters take over', async () => {
    const path = join(await temporaryFolder(), 'x.lock')
    await writeFile(
      path,
      JSON.stringify({ token: 't', pid: process.pid, started: '1', space: await thisSpace() }),
    )
    let inside = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setTimeout(resolve, 5))
      inside--
    }
    await Promise.all(Array.from({ length: 4 }, () => withLock(path, { ready: never }, work)))
    expect(most).toBe(1)
  })

  it('names the lock file that cannot be created', async () => {
    const path = '/proc/whisper-hip.lock'
    await expect(withLock(path, { ready: never }, async () => 1)).rejects.toMatchObject({
      code: 'ERR_DOWNLOAD',
      message: expect.stringContaining(path),
    })
  })
})
