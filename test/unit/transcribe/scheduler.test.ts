import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { NativeTask } from '../../../lib/native.ts'
import { Scheduler } from '../../../lib/transcribe/scheduler.ts'

/** A fake task that ends when the test says so. */
class FakeTask implements NativeTask<string> {
  finish!: (value: string) => void
  fail!: (error: unknown) => void
  readonly result = new Promise<string>((resolve, reject) => {
    this.finish = resolve
    this.fail = reject
  })
  cancel(): void {}
}

const never = new AbortController().signal
const settled = () => new Promise((resolve) => setImmediate(resolve))

function queueOf(concurrency: number) {
  const scheduler = new Scheduler(concurrency)
  const started: string[] = []
  const tasks = new Map<string, FakeTask>()
  const add = (name: string, signal = never) =>
    scheduler.start(() => {
      const task = new FakeTask()
      task.result.catch(() => {})
      started.push(name)
      tasks.set(name, task)
      return task
    }, signal)
  return { scheduler, started, add, task: (name: string) => tasks.get(name) as FakeTask }
}

describe('Scheduler', () => {
  it('runs as many as it may, the others in order', async () => {
    const { scheduler, started, add, task } = queueOf(2)
    for (const name of ['a', 'b', 'c', 'd', 'e']) add(name)
    await settled()
    expect(started).toEqual(['a', 'b'])
    expect([scheduler.running, scheduler.waiting]).toEqual([2, 3])
    task('b').finish('done')
    await settled()
    expect(started).toEqual(['a', 'b', 'c'])
    task('a').fail(new Error('broken'))
    task('c').finish('done')
    await settled()
    expect(started).toEqual(['a', 'b', 'c', 'd', 'e'])
    task('d').finish('done')
    task('e').finish('done')
    await settled()
    expect([scheduler.running, scheduler.waiting]).toEqual([0, 0])
  })

  it('takes an aborted job out of the queue at once', async () => {
    const { scheduler, started, add, task } = queueOf(1)
    const controller = new AbortController()
    add('a')
    const waiting = add('b', controller.signal)
    add('c')
    const reason = new Error('no longer wanted')
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(scheduler.waiting).toBe(1)
    task('a').finish('done')
    await settled()
    expect(started).toEqual(['a', 'c'])
  })

  it('does not start what was aborted before, or between its turn and its start', async () => {
    const { scheduler, started, add, task } = queueOf(1)
    await expect(add('x', AbortSignal.abort(new Error('early')))).rejects.toThrow('early')
    const controller = new AbortController()
    add('a')
    const late = add('b', controller.signal)
    await settled()
    task('a').finish('done')
    task('a').result.then(() => queueMicrotask(() => controller.abort(new Error('late'))))
    await late.catch(() => {})
    await settled()
    expect(scheduler.running).toBe(started.includes('b') ? 1 : 0)
  })

  it('frees the place of a job that cannot be started', async () => {
    const { scheduler, started, add } = queueOf(1)
    const broken = scheduler.start(() => {
      throw new Error('no memory')
    }, never)
    add('a')
    await expect(broken).rejects.toThrow('no memory')
    await settled()
    expect(started).toEqual(['a'])
  })

  it('leaves no listener on the signal', async () => {
    const { add, task } = queueOf(1)
    const { signal } = new AbortController()
    for (let i = 0; i < 20; i++) add(String(i), signal)
    for (let i = 0; i < 20; i++) {
      await settled()
      task(String(i)).finish('done')
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})
