import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { toLibraryError } from '../../../lib/backend/native-error.ts'
import { readVerdict, writeVerdict } from '../../../lib/backend/probe/verdict-cache.ts'
import { trustVerdict } from '../../../lib/backend/trust.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whisper-hip-trust-'))
  vi.stubEnv('WHISPER_HIP_CACHE', folder)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

const good = {
  stages: [{ name: 'release', milliseconds: 1, ok: true }],
  devices: [],
  exit: { kind: 'code' as const, code: 0 },
  stderr: '',
  at: 1,
  attempts: 1,
}
const failed = (reason?: string) =>
  toLibraryError(Object.assign(new Error('It failed'), { code: 'ERR_INTERNAL', reason }), {})

describe('the good verdict about a GPU', () => {
  it.each(['GPU_RESULT_INVALID', 'CONTEXT_POISONED', 'GPU_FAULT'])(
    'is dropped when a job fails with %s',
    async (reason) => {
      await writeVerdict('this', good)
      await writeVerdict('other', good)
      trustVerdict('this')
      expect(failed(reason)).toMatchObject({ code: 'ERR_INTERNAL', reason })
      expect(await readVerdict('this')).toBeNull()
      expect(await readVerdict('other')).toEqual(good)
    },
  )

  it('of a cache that cannot be written is dropped too', async () => {
    vi.stubEnv('WHISPER_HIP_CACHE', '/dev/null/cache')
    expect(await writeVerdict('this', good)).toMatch(/ENOTDIR/)
    trustVerdict('this')
    failed('GPU_RESULT_INVALID')
    expect(await readVerdict('this')).toBeNull()
  })

  it.each(['OUT_OF_MEMORY', 'OPS_ON_CPU', undefined])('stays when a job fails with %s', async (reason) => {
    await writeVerdict('this', good)
    trustVerdict('this')
    failed(reason)
    expect(await readVerdict('this')).toEqual(good)
  })

  it('is dropped once: a new one of another process stays', async () => {
    await writeVerdict('this', good)
    trustVerdict('this')
    failed('CONTEXT_POISONED')
    await writeVerdict('this', good)
    failed('CONTEXT_POISONED')
    expect(await readVerdict('this')).toEqual(good)
  })
})
