import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { withLock } from '../../../scripts/support/lock.mjs'

const LOCK = pathToFileURL(resolve('scripts/support/lock.mjs')).href
const unique = () => join('/nowhere', String(process.pid), String(Math.random()))
const never = () => {
  throw new Error('nobody else holds the lock')
}

describe('withLock', () => {
  it('runs one task at a time', async () => {
    const folder = unique()
    let running = 0
    let most = 0
    let waits = 0
    const task = async () => {
      most = Math.max(most, ++running)
      await new Promise((done) => setTimeout(done, 20))
      running--
    }
    await Promise.all([1, 2, 3, 4].map(() => withLock(folder, () => waits++, task)))
    expect({ most, waits }).toEqual({ most: 1, waits: 3 })
  })

  it('gives back what the task returns or throws, and is free again', async () => {
    const folder = unique()
    expect(await withLock(folder, never, async () => 7)).toBe(7)
    await expect(withLock(folder, never, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await withLock(folder, never, async () => 8)).toBe(8)
  })

  it('does not bind folders to each other', async () => {
    await withLock(unique(), never, () => withLock(unique(), never, async () => undefined))
  })

  it('ends with a process that is killed', async () => {
    const folder = unique()
    const script = `import { withLock } from ${JSON.stringify(LOCK)}
      await withLock(${JSON.stringify(folder)}, () => {}, async () => { console.log('held'); await new Promise((done) => setTimeout(done, 60000)) })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script])
    await once(child.stdout, 'data')
    let waited = false
    const mine = withLock(
      folder,
      () => {
        waited = true
        child.kill('SIGKILL')
      },
      async () => 'mine',
    )
    expect(await mine).toBe('mine')
    expect(waited).toBe(true)
  })
})
