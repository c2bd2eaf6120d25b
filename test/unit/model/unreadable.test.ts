import { expect, it, vi } from 'vitest'

// Tests that run as root may read every real file.
it('a file without permission is refused by name', async () => {
  vi.resetModules()
  vi.doMock('node:fs/promises', async (original) => ({
    ...(await original<typeof import('node:fs/promises')>()),
    open: async (path: string) => {
      throw Object.assign(new Error(`EACCES: permission denied, open '${path}'`), { code: 'EACCES' })
    },
  }))
  try {
    const { openFileSource } = await import('../../../lib/model/sources.ts')
    const error = await openFileSource(import.meta.filename).catch((failure) => failure)
    expect(error).toMatchObject({
      name: 'WhisperHipError',
      code: 'ERR_MODEL_NOT_FOUND',
      message: `Cannot open the model '${import.meta.filename}': permission denied`,
      cause: expect.any(Error),
    })
  } finally {
    vi.doUnmock('node:fs/promises')
    vi.resetModules()
  }
})
