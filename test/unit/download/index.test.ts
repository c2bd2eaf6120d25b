import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { WhisperHipError } from '../../../lib/errors.ts'
import { listModels, obtainModel } from '../../../lib/model/download/index.ts'
import { buildGgml } from '../../fixtures/ggml-builder.ts'
import { makeBody, sendFile, serve, sha256, temporaryFolder } from './server.ts'

afterEach(() => void vi.unstubAllEnvs())

/** As small as a model can be. */
const body = Buffer.from(buildGgml({ state: 32, layers: 1 }))

async function setUp() {
  const cache = await temporaryFolder()
  vi.stubEnv('WHISPER_HIP_CACHE', cache)
  const server = await serve((request, response) => sendFile(request, response, body))
  return { cache, server }
}

describe('obtainModel by name', () => {
  it('names the model that was probably meant, and all others', async () => {
    await expect(obtainModel('bsae')).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: 'There is no model "bsae": did you mean "base"?',
      advice: [expect.stringContaining('tiny, tiny.en, base')],
    })
  })

  it.each(['__proto__', 'https://[', '../base', 'x'.repeat(1_000_000)])(
    'knows no model %.20s',
    async (name) => {
      const error = await obtainModel(name).catch((caught: Error) => caught)
      expect(error).toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
      expect((error as Error).message.length).toBeLessThan(200)
    },
  )

  it('needs no network to say that a model is not cached', async () => {
    const { cache } = await setUp()
    await expect(obtainModel('turbo', { offline: true })).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringContaining(join(cache, 'models', 'large-v3-turbo')),
    })
  })

  it('rejects with the reason of a signal that has aborted', async () => {
    await expect(obtainModel('base', { signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
  })

  it.each([
    [undefined, {}, 'Expected a model name or URL for model but received undefined of type undefined'],
    ['', {}, 'Expected a model name or URL for model but received "" of type string'],
    [
      'base',
      { sha256: 'abc' },
      'Expected 64 hexadecimal digits for sha256 but received "abc" of type string',
    ],
    ['base', { sha256: 'a'.repeat(64) }, 'Expected no value beside a catalogue name for sha256'],
    [
      new URL('file:///x'),
      {},
      'an http or https address without user and password for model but received "file:///x"',
    ],
    ['https://user:secret@host/x', {}, 'received "https://host/x" of type string'],
  ])('refuses %s with %o', async (model, options, message) => {
    await expect(obtainModel(model as string, options)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    })
  })
})

describe('obtainModel by URL', () => {
  it('downloads once, and records what it got without the query', async () => {
    const { cache, server } = await setUp()
    const url = server.url('/dir/my%20model.bin?token=secret')
    const path = await obtainModel(url)
    expect(path.startsWith(join(cache, 'urls'))).toBe(true)
    expect(path.endsWith('/my_20model.bin')).toBe(true)
    expect(sha256(await readFile(path))).toBe(sha256(body))
    const record = await readFile(join(path, '..', '.source.json'), 'utf8')
    expect(JSON.parse(record)).toEqual({
      url: server.url('/dir/my%20model.bin').href,
      bytes: body.length,
      sha256: sha256(body),
      format: 'ggml',
    })
    expect(await obtainModel(url.href)).toBe(path)
    expect(await obtainModel(url, { offline: true, sha256: sha256(body).toUpperCase() })).toBe(path)
    expect(server.requests.length).toBe(1)
  })

  it('keeps apart what differs in the query alone', async () => {
    const { server } = await setUp()
    expect(await obtainModel(server.url('/x?a'))).not.toBe(await obtainModel(server.url('/x?b')))
  })

  it.each(['/', '/..', '/%2e%2e%2fx', '/.source.json', `/${'x'.repeat(5_000)}`])(
    'stays in its folder for %.20s',
    async (path) => {
      const { cache, server } = await setUp()
      const found = await obtainModel(server.url(path))
      expect(found).toMatch(new RegExp(`^${cache}/urls/[0-9a-f]{32}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$`))
      expect(await obtainModel(server.url(path), { offline: true })).toBe(found)
    },
  )

  it('refuses another digest than the given one, and keeps the copy that was there', async () => {
    const { server } = await setUp()
    const url = server.url()
    const path = await obtainModel(url)
    const wrong = 'a'.repeat(64)
    await expect(obtainModel(url, { sha256: wrong, offline: true })).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringContaining(wrong),
    })
    await expect(obtainModel(url, { sha256: wrong })).rejects.toMatchObject({
      code: 'ERR_DOWNLOAD',
      message: expect.stringContaining(wrong),
    })
    expect(await obtainModel(url, { offline: true })).toBe(path)
  })

  it.each(['', '{', 'null', '{"bytes":"5000","sha256":1}', '{"bytes":4999}'])(
    'does not believe the record %s',
    async (record) => {
      const { server } = await setUp()
      const url = server.url()
      const path = await obtainModel(url)
      await writeFile(join(path, '..', '.source.json'), record)
      await expect(obtainModel(url, { offline: true })).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
      expect(await obtainModel(url)).toBe(path)
      expect(server.requests.length).toBe(2)
    },
  )
})

describe('what is no model', () => {
  const model = body
  const zip = Buffer.concat([Buffer.from('PK\x03\x04'), makeBody(5000)])

  it.each([
    ['a JSON text', Buffer.from('{"error":"Entry not found"}'), 'ERR_MODEL_FORMAT', 'a JSON text'],
    [
      'XML',
      Buffer.from('<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>'),
      'ERR_MODEL_FORMAT',
      'a text',
    ],
    ['HTML', Buffer.from('<!DOCTYPE html><title>Log in</title>'), 'ERR_DOWNLOAD', 'HTML page'],
    ['a zip archive', zip, 'ERR_MODEL_FORMAT', 'a zip archive'],
    ['noise', makeBody(5000), 'ERR_MODEL_FORMAT', 'something else'],
    ['a word', Buffer.from('Forbidden'), 'ERR_MODEL_FORMAT', 'a text'],
    ['a model cut short', model.subarray(0, model.length - 1), 'ERR_MODEL_CORRUPT', 'damaged'],
    ['the head of a model', model.subarray(0, 5000), 'ERR_MODEL_CORRUPT', 'damaged'],
  ] as const)('is not kept: %s', async (_, answer, code, message) => {
    vi.stubEnv('WHISPER_HIP_CACHE', await temporaryFolder())
    // Without a length, so that only the bytes tell.
    const server = await serve((_, response) => response.end(answer))
    const url = server.url()
    for (let i = 0; i < 2; i++) {
      const error = (await obtainModel(url).catch((caught) => caught)) as WhisperHipError
      expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
      expect(error.message).toContain(url.href)
    }
    expect(server.requests).toHaveLength(2)
    await expect(obtainModel(url, { offline: true })).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
  })

  it('is fetched again where an older version has kept it', async () => {
    const { server } = await setUp()
    const path = await obtainModel(server.url())
    const page = Buffer.from('{"error":"Entry not found"}')
    await writeFile(path, page)
    const record = { url: server.url().href, bytes: page.length, sha256: sha256(page) }
    await writeFile(join(path, '..', '.source.json'), JSON.stringify(record))
    expect(await obtainModel(server.url())).toBe(path)
    expect(sha256(await readFile(path))).toBe(sha256(body))
  })
})

describe('listModels', () => {
  it('gives sizes, and the path of what is cached', async () => {
    await setUp()
    const models = await listModels()
    expect(models.find(({ name }) => name === 'large-v3')).toEqual({
      name: 'large-v3',
      aliases: ['large'],
      parameters: 1550e6,
      multilingual: true,
      bytes: 3095033483,
      path: null,
    })
    expect(models.every(({ path }) => path === null)).toBe(true)
  })
})
