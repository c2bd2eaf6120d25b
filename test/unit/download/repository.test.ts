import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { obtainModel } from '../../../lib/model/download/index.ts'
import { asRepository } from '../../../lib/model/download/repository.ts'
import { filesOfModel } from '../../../lib/model/download/repository-files.ts'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { locateModel } from '../../../lib/model/locate.ts'
import { assembleCt2, ct2Parts, tinyTokenizerJson, vocabularyJson } from '../../fixtures/ct2-builder.ts'
import { buildGgml } from '../../fixtures/ggml-builder.ts'
import { configJson } from '../../fixtures/hf-files.ts'
import { huggingFaceTensors } from '../../fixtures/hf-names.ts'
import { buildSafetensors } from '../../fixtures/safetensors-builder.ts'
import { makeBody, sendFile, serve, sha256, temporaryFolder } from './server.ts'

afterEach(() => void vi.unstubAllEnvs())

const SMALL = { state: 32, layers: 1 }
const COMMIT = '0123456789abcdef0123456789abcdef01234567'
let transformers: Record<string, Buffer>
let ggml: Buffer

beforeAll(() => {
  transformers = {
    'README.md': Buffer.from('# Whisper'),
    'config.json': Buffer.from(JSON.stringify(configJson(SMALL))),
    'tokenizer.json': Buffer.from(tinyTokenizerJson(SMALL)),
    'model.safetensors': Buffer.from(buildSafetensors(huggingFaceTensors(SMALL))),
    'pytorch_model.bin': makeBody(1000),
    'tf_model.h5': makeBody(1000),
  }
  ggml = Buffer.from(buildGgml(SMALL))
})

const blobOf = (bytes: Buffer) =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')

interface HubOptions {
  /** It serves files and lists none. */
  withoutListing?: boolean
  /** What the listing says otherwise. */
  listed?: (file: Record<string, unknown>) => Record<string, unknown>
  /** Bytes of an answer after which the connection drops, for the first request of a file. */
  cut?: number
  token?: string
}

/** A hub with one repository, `owner/model`. */
async function hub(
  files: Record<string, Buffer>,
  { listed = (file) => file, cut, token, withoutListing = false }: HubOptions = {},
) {
  const cache = await temporaryFolder()
  vi.stubEnv('WHISPER_HIP_CACHE', cache)
  const begun = new Set<string>()
  const server = await serve((request, response) => {
    const path = new URL(request.url ?? '', 'http://hub').pathname
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      response.writeHead(401).end()
      return
    }
    const revision = /^\/api\/models\/owner\/model\/revision\/(main|v2|[0-9a-f]{40})$/.exec(path)
    if (revision !== null && !withoutListing) {
      const siblings = Object.entries(files).map(([rfilename, bytes]) =>
        listed({
          rfilename,
          size: bytes.length,
          ...(bytes.length > 100_000
            ? { lfs: { sha256: sha256(bytes), size: bytes.length } }
            : { blobId: blobOf(bytes) }),
        }),
      )
      response.end(JSON.stringify({ id: 'owner/model', sha: COMMIT, siblings }))
      return
    }
    const file = new RegExp(`^/owner/model/resolve/(?:${COMMIT}|main)/(.*)$`).exec(path)?.[1] ?? ''
    const bytes = files[file]
    if (bytes === undefined) {
      response.writeHead(404).end()
      return
    }
    const first = !begun.has(file)
    begun.add(file)
    const drop = cut !== undefined && first && bytes.length > cut
    sendFile(request, response, bytes, drop ? { cut } : {})
    // When the client has had the time to store what it got.
    if (drop) setTimeout(() => response.destroy(), 300)
  })
  vi.stubEnv('HF_ENDPOINT', server.url('/').href)
  const paths = () => server.requests.map(({ url = '' }) => url.replace(/^.*resolve\/[0-9a-f]*\//, ''))
  return { cache, server, paths }
}

const formatOf = async (path: string) => {
  const plan = await readModel(path)
  await closePlan(plan)
  return plan.format
}

describe('the name of a repository', () => {
  it.each([
    ['openai/whisper-base', { id: 'openai/whisper-base', revision: 'main', file: undefined }],
    ['Systran/faster-whisper-base', { id: 'Systran/faster-whisper-base', revision: 'main', file: undefined }],
    ['openai/whisper-base@v2', { id: 'openai/whisper-base', revision: 'v2', file: undefined }],
    ['hf://openai/whisper-base', { id: 'openai/whisper-base', revision: 'main', file: undefined }],
    ['hf://a/b@1234abc/ggml-base.bin', { id: 'a/b', revision: '1234abc', file: 'ggml-base.bin' }],
    ['hf://a/b/onnx/encoder_model.onnx', { id: 'a/b', revision: 'main', file: 'onnx/encoder_model.onnx' }],
    [
      'https://huggingface.co/openai/whisper-base',
      { id: 'openai/whisper-base', revision: 'main', file: undefined },
    ],
    ['https://huggingface.co/a/b/tree/v2', { id: 'a/b', revision: 'v2', file: undefined }],
    ['https://huggingface.co/a/b/blob/main/ggml.bin', { id: 'a/b', revision: 'main', file: 'ggml.bin' }],
    ['huggingface.co/a/b', { id: 'a/b', revision: 'main', file: undefined }],
  ])('%s', (text, repository) => {
    expect(asRepository(text)).toEqual(repository)
  })

  it.each([
    'base',
    './a/b',
    '../b',
    'a/b/c',
    'models/ggml-base.bin',
    'models/base.gguf',
    '/a/b',
    'hf://a',
    'hf://a/b/../../x',
    'https://huggingface.co/a/b/resolve/main/ggml.bin',
    'https://example.org/a/b',
    'a/b@',
  ])('%s is none', (text) => {
    expect(asRepository(text)).toBeUndefined()
  })
})

describe('the files of a repository', () => {
  const chosen = (paths: string[], named?: string) =>
    filesOfModel(
      'a/b',
      paths.map((path) => ({ path })),
      named,
    ).map(({ path }) => path)

  it.each([
    [
      ['README.md', 'config.json', 'model.bin', 'tokenizer.json', 'vocabulary.txt'],
      ['config.json', 'model.bin', 'tokenizer.json', 'vocabulary.txt'],
    ],
    [
      ['pytorch_model.bin', 'model.safetensors', 'flax_model.msgpack', 'vocab.json'],
      ['model.safetensors', 'vocab.json'],
    ],
    [['model.fp32-00001-of-00002.safetensors', 'model.safetensors'], ['model.safetensors']],
    [['ggml-model.bin', 'README.md'], ['ggml-model.bin']],
    [['config.json', 'whisper.gguf'], ['whisper.gguf']],
    [
      [
        'config.json',
        'onnx/decoder_model_merged.onnx',
        'onnx/encoder_model.onnx',
        'onnx/decoder_model_int8.onnx',
      ],
      ['config.json', 'onnx/decoder_model_merged.onnx', 'onnx/encoder_model.onnx'],
    ],
    [
      [
        'model-00001-of-00002.safetensors',
        'model-00002-of-00002.safetensors',
        'model.safetensors.index.json',
      ],
      [
        'model-00001-of-00002.safetensors',
        'model-00002-of-00002.safetensors',
        'model.safetensors.index.json',
      ],
    ],
  ])('%j: %j', (paths, expected) => {
    expect(chosen(paths)).toEqual(expected)
  })

  it('are asked for where there are several models', () => {
    const paths = ['ggml-base.bin', 'ggml-small.bin']
    expect(() => chosen(paths)).toThrow('The repository a/b has 2 models, and none that is the one to take')
    expect(chosen(paths, 'ggml-small.bin')).toEqual(['ggml-small.bin'])
    expect(() => chosen(paths, 'ggml-tiny.bin')).toThrow('has no file ggml-tiny.bin')
    expect(() => chosen(['README.md'])).toThrow('has no weights in a form that this version reads')
  })
})

describe('a repository of the hub', () => {
  it('is downloaded once, its model and what belongs to it', async () => {
    const { cache, paths } = await hub(transformers)
    const path = await obtainModel('owner/model')
    expect(path).toBe(join(cache, 'hub', 'owner--model', COMMIT))
    expect(await formatOf(path)).toBe('safetensors')
    expect(paths()).toEqual([
      '/api/models/owner/model/revision/main?blobs=true',
      'config.json',
      'tokenizer.json',
      'model.safetensors',
    ])
    expect(await obtainModel('hf://owner/model')).toBe(path)
    expect(await obtainModel('owner/model', { offline: true })).toBe(path)
    expect(paths()).toHaveLength(4)
  })

  it('may be one of CTranslate2', async () => {
    await hub({
      'config.json': Buffer.from('{}'),
      'model.bin': Buffer.from(assembleCt2(ct2Parts(SMALL)).bytes),
      'vocabulary.json': Buffer.from(vocabularyJson(SMALL)),
    })
    expect(await formatOf(await obtainModel('owner/model'))).toBe('ctranslate2')
  })

  it('has a file of its own where one is named', async () => {
    const { cache } = await hub({ 'ggml-base.bin': ggml, 'ggml-small.bin': makeBody(9) })
    const path = await obtainModel('hf://owner/model@v2/ggml-base.bin')
    expect(path.startsWith(join(cache, 'hub', 'owner--model', `${COMMIT}-`))).toBe(true)
    expect(path.endsWith('/ggml-base.bin')).toBe(true)
    expect(await obtainModel('hf://owner/model@v2/ggml-base.bin', { offline: true })).toBe(path)
    await expect(obtainModel('owner/model', { offline: true })).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
    })
  })

  it('is resumed', async () => {
    const { server } = await hub(transformers, { cut: 200_000 })
    const progress: number[] = []
    const path = await obtainModel('owner/model', {
      onProgress: ({ received, total }) => {
        progress.push(received)
        expect(total).toBe(
          ['config.json', 'tokenizer.json', 'model.safetensors'].reduce(
            (sum, name) => sum + (transformers[name]?.length ?? 0),
            0,
          ),
        )
      },
    })
    expect(await formatOf(path)).toBe('safetensors')
    expect(progress).toEqual(progress.toSorted((a, b) => a - b))
    expect(server.requests.filter(({ headers }) => headers.range === 'bytes=200000-').length).toBeGreaterThan(
      0,
    )
  })

  it('is refused with other bytes than the hub lists', async () => {
    const { cache } = await hub(transformers, {
      listed: (file) =>
        'lfs' in file ? { ...file, lfs: { ...(file.lfs as object), sha256: 'a'.repeat(64) } } : file,
    })
    await expect(obtainModel('owner/model')).rejects.toMatchObject({
      code: 'ERR_DOWNLOAD',
      message: expect.stringContaining('a'.repeat(64)),
    })
    await expect(readFile(join(cache, 'hub', 'owner--model', COMMIT, 'config.json'))).rejects.toThrow(
      'ENOENT',
    )
  })

  it('is refused with another small file than git names', async () => {
    await hub(transformers, { listed: (file) => (file.blobId ? { ...file, blobId: 'b'.repeat(40) } : file) })
    await expect(obtainModel('owner/model')).rejects.toMatchObject({
      code: 'ERR_DOWNLOAD',
      message: expect.stringContaining('not the one that the hub lists'),
    })
  })

  it('is not kept when it is no model', async () => {
    const { cache } = await hub({ ...transformers, 'config.json': Buffer.from('{"model_type":"bert"}') })
    await expect(obtainModel('owner/model')).rejects.toMatchObject({ code: 'ERR_MODEL_UNSUPPORTED' })
    await expect(obtainModel('owner/model', { offline: true })).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
    })
    await expect(
      readFile(join(cache, 'hub', 'owner--model', `${COMMIT}.incoming`, 'config.json')),
    ).rejects.toThrow('ENOENT')
  })

  it('is found on a mirror that lists nothing', async () => {
    const { cache } = await hub(transformers, { withoutListing: true })
    const path = await obtainModel('owner/model')
    expect(path).toBe(join(cache, 'hub', 'owner--model', 'main'))
    expect(await formatOf(path)).toBe('safetensors')
    expect(await obtainModel('owner/model', { offline: true })).toBe(path)
  })

  it('may be one file on a mirror that lists nothing', async () => {
    await hub({ 'ggml-base.bin': ggml }, { withoutListing: true })
    expect(await formatOf(await obtainModel('hf://owner/model/ggml-base.bin'))).toBe('ggml')
  })

  it('is asked for with the token', async () => {
    await hub(transformers, { token: 'hf_secret' })
    await expect(obtainModel('owner/model')).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      advice: expect.arrayContaining([expect.stringContaining('HF_TOKEN')]),
    })
    vi.stubEnv('HF_TOKEN', 'hf_secret')
    expect(await formatOf(await obtainModel('owner/model'))).toBe('safetensors')
  })

  it('that does not exist is told apart from a path only by both being looked for', async () => {
    await hub(transformers)
    await expect(obtainModel('owner/other')).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringMatching(/no file or folder owner\/other here, and no repository of that name/),
    })
    await expect(obtainModel('owner/model@v3')).rejects.toMatchObject({
      message: expect.stringContaining('with the revision v3'),
    })
  })

  it.each(['', '[]', '{"sha":"main","siblings":[]}', '<html>'])('needs a listing, not %j', async (answer) => {
    vi.stubEnv('WHISPER_HIP_CACHE', await temporaryFolder())
    const server = await serve((_, response) => response.end(answer))
    vi.stubEnv('HF_ENDPOINT', server.url('/').href)
    await expect(obtainModel('owner/model')).rejects.toMatchObject({ code: 'ERR_DOWNLOAD' })
  })

  it('never leads out of the cache', async () => {
    const { paths } = await hub({
      ...transformers,
      '../../evil.json': Buffer.from('{}'),
      'a/../../b.json': Buffer.from('{}'),
    })
    await obtainModel('owner/model')
    expect(paths().join()).not.toContain('evil')
  })
})

describe('locateModel', () => {
  it('takes a path before a repository', async () => {
    const { server } = await hub(transformers)
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'owner', 'model'), { recursive: true })
    await writeFile(join(folder, 'owner', 'model', 'x'), '')
    const before = process.cwd()
    process.chdir(folder)
    try {
      expect(await locateModel('owner/model', {})).toEqual({ input: 'owner/model', name: 'model' })
      // A mistake in a path is not looked for on the hub.
      expect(await locateModel('owner/modle', {})).toEqual({ input: 'owner/modle', name: 'modle' })
      expect(server.requests).toHaveLength(0)
      expect(await locateModel('hf://owner/model', {})).toMatchObject({ name: 'owner/model' })
    } finally {
      process.chdir(before)
    }
  })
})

describe('names that are nearly those of the catalogue', () => {
  it.each([
    ['ggml-base.bin', 'base'],
    ['ggml-base.en.bin', 'base.en'],
    ['whisper-base', 'base'],
    ['base.bin', 'base'],
    ['base.pt', 'base'],
    ['faster-whisper-large-v3', 'large-v3'],
    ['whisper-large-v3-turbo', 'large-v3-turbo'],
    ['ggml-large-v3-turbo-q5_0.bin', 'large-v3-turbo'],
    ['Whisper-Tiny', 'tiny'],
  ])('%s: did you mean %s?', async (name, meant) => {
    await expect(obtainModel(name)).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringContaining(`did you mean "${meant}"?`),
    })
  })
})
