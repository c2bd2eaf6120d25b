import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { downloadModel } from '../../../lib/model/download-model.ts'
import type { LoadProgress } from '../../../lib/model/types.ts'
import { buildGgml } from '../../fixtures/ggml-builder.ts'
import { sendFile, serve, sha256, temporaryFolder } from './server.ts'

afterEach(() => void vi.unstubAllEnvs())

const body = Buffer.from(buildGgml({ state: 32, layers: 1 }))

async function setUp() {
  const cache = await temporaryFolder()
  vi.stubEnv('WHISPER_HIP_CACHE', cache)
  const server = await serve((request, response) => sendFile(request, response, body))
  return { cache, server }
}

it('puts a model into the cache, tells how far it is, and does not ask again', async () => {
  const { cache, server } = await setUp()
  const steps: LoadProgress[] = []
  const options = { sha256: sha256(body), onProgress: (step: LoadProgress) => void steps.push(step) }
  const path = await downloadModel(server.url(), options)
  expect(path.startsWith(join(cache, 'urls'))).toBe(true)
  expect(steps.at(-1)).toEqual({
    stage: 'download',
    progress: 1,
    receivedBytes: body.length,
    totalBytes: body.length,
  })
  const { length } = steps
  expect(await downloadModel(server.url(), { offline: true })).toBe(path)
  expect(steps).toHaveLength(length)
})

it('says that a model is not there, without a network', async () => {
  await setUp()
  await expect(downloadModel('base', { offline: true })).rejects.toMatchObject({
    code: 'ERR_MODEL_NOT_FOUND',
  })
})

it.each([
  [{ backend: 'cpu' }, 'Unknown option "backend" of downloadModel()'],
  [{ ofline: true }, 'did you mean offline?'],
  [{ offline: 'yes' }, 'Expected a boolean for offline'],
  [{ sha256: 'abc' }, 'for sha256'],
  [{ onProgress: 1 }, 'Expected a function for onProgress'],
  [{ signal: {} }, 'Expected an AbortSignal for signal'],
])('refuses %o', async (options, message) => {
  await expect(downloadModel('base', options as object)).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringContaining(message),
  })
})

it('rejects with the reason of a signal', async () => {
  await expect(downloadModel('base', { signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
})
