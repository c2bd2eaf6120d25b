import { describe, expect, it, vi } from 'vitest'
import { openFileSource } from '../../../lib/model/sources.ts'
import { failureOf } from './support.ts'

// Stands for a file without permission: tests that run as root may read every real one.
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  open: async (path: string) => {
    throw Object.assign(new Error(`EACCES: permission denied, open '${path}'`), { code: 'EACCES' })
  },
}))

describe('a file without permission', () => {
  it('is refused by name', async () => {
    const error = await failureOf(openFileSource(import.meta.filename))
    expect(error.code).toBe('ERR_MODEL_NOT_FOUND')
    expect(error.message).toBe(`Cannot open the model '${import.meta.filename}': permission denied`)
    expect(error.cause).toBeInstanceOf(Error)
  })
})
