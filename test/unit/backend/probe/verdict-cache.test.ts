import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ProbeOutcome } from '../../../../lib/backend/probe/protocol.ts'
import {
  readVerdict,
  type VerdictSubject,
  verdictPath,
  writeVerdict,
} from '../../../../lib/backend/probe/verdict-cache.ts'

let folder: string
let subject: VerdictSubject

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whisper-hip-verdict-'))
  vi.stubEnv('WHISPER_HIP_CACHE', join(folder, 'cache'))
  writeFileSync(join(folder, 'module.so'), 'module')
  writeFileSync(join(folder, 'runtime.so'), 'runtime')
  subject = {
    version: '1.0.0',
    module: join(folder, 'module.so'),
    runtime: [join(folder, 'runtime.so')],
    topology: [{ pciId: '0000:03:00.0', gfx: 'gfx1100' }],
    environment: { PATH: '/bin', HSA_XNACK: '1' },
    pin: { ROCR_VISIBLE_DEVICES: '0' },
  }
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

const outcome: ProbeOutcome = {
  stages: [{ name: 'release', milliseconds: 1, ok: true }],
  devices: [],
  exit: { kind: 'code', code: 0 },
  stderr: '',
}

describe('verdictPath', () => {
  it('is the same for the same things', async () => {
    expect(await verdictPath({ ...subject })).toBe(await verdictPath(subject))
  })

  it.each<[string, (subject: VerdictSubject) => VerdictSubject]>([
    ['version', (before) => ({ ...before, version: '1.0.1' })],
    ['topology', (before) => ({ ...before, topology: [] })],
    ['pin', (before) => ({ ...before, pin: { ROCR_VISIBLE_DEVICES: '1' } })],
    ['variable of ROCm', (before) => ({ ...before, environment: { HSA_XNACK: '0' } })],
    [
      'variable of the loader',
      (before) => ({ ...before, environment: { HSA_XNACK: '1', LD_LIBRARY_PATH: '/x' } }),
    ],
    ['runtime', (before) => ({ ...before, runtime: [] })],
  ])('differs with the %s', async (_, change) => {
    expect(await verdictPath(change(subject))).not.toBe(await verdictPath(subject))
  })

  it('differs with the bytes of the module and the time of the runtime', async () => {
    const before = await verdictPath(subject)
    writeFileSync(subject.module, 'another')
    const after = await verdictPath(subject)
    expect(after).not.toBe(before)
    utimesSync(join(folder, 'runtime.so'), 1, 1)
    expect(await verdictPath(subject)).not.toBe(after)
  })

  it('does not differ with what ROCm does not read, unless the user names the module', async () => {
    const other = (environment: NodeJS.ProcessEnv) => ({ ...subject, environment })
    const same = other({ ...subject.environment, PORT: '80', PWD: '/' })
    expect(await verdictPath(same)).toBe(await verdictPath(subject))
    const named = { ...subject.environment, WHISPER_HIP_LIBRARY: '/module.so' }
    expect(await verdictPath(other({ ...named, FAULT: '1' }))).not.toBe(await verdictPath(other(named)))
    expect(await verdictPath(other({ ...named, PWD: '/' }))).toBe(await verdictPath(other(named)))
  })
})

describe('a verdict', () => {
  it('is read as it was written, and leaves no other file', async () => {
    const path = await verdictPath(subject)
    expect(await readVerdict(path)).toBeNull()
    await writeVerdict(path, outcome)
    expect(await readVerdict(path)).toEqual(outcome)
    expect(readdirSync(join(folder, 'cache/probe'))).toHaveLength(1)
  })

  it.each(['', '{', 'null', '[]', '{"stages":[{}],"devices":[],"exit":{"kind":"code"},"stderr":""}'])(
    'is not one when the file holds %j',
    async (content) => {
      const path = join(folder, 'verdict.json')
      writeFileSync(path, content)
      expect(await readVerdict(path)).toBeNull()
    },
  )

  it('that cannot be kept does no harm', async () => {
    writeFileSync(join(folder, 'file'), '')
    await writeVerdict(join(folder, 'file/verdict.json'), outcome)
  })
})
