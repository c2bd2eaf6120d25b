import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { KeptOutcome } from '../../../../lib/backend/probe/kept.ts'
import {
  dropVerdict,
  readVerdict,
  type VerdictSubject,
  verdictName,
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
    gpu: '0000:03:00.0',
    environment: { PATH: '/bin', HSA_XNACK: '1' },
    pin: { ROCR_VISIBLE_DEVICES: '0' },
  }
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

const outcome: KeptOutcome = {
  at: 1000,
  attempts: 1,
  stages: [{ name: 'release', milliseconds: 1, ok: true }],
  devices: [],
  exit: { kind: 'code', code: 0 },
  stderr: '',
}

describe('verdictName', () => {
  it('is the same for the same things', async () => {
    expect(await verdictName({ ...subject })).toBe(await verdictName(subject))
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
    ['GPU', (before) => ({ ...before, gpu: '0000:83:00.0' })],
  ])('differs with the %s', async (_, change) => {
    expect(await verdictName(change(subject))).not.toBe(await verdictName(subject))
  })

  it('differs with the bytes of the module and the time of the runtime', async () => {
    const before = await verdictName(subject)
    writeFileSync(subject.module, 'another')
    const after = await verdictName(subject)
    expect(after).not.toBe(before)
    utimesSync(join(folder, 'runtime.so'), 1, 1)
    expect(await verdictName(subject)).not.toBe(after)
  })

  it('does not differ with what ROCm does not read, unless the user names the module', async () => {
    const other = (environment: NodeJS.ProcessEnv) => ({ ...subject, environment })
    const same = other({ ...subject.environment, PORT: '80', PWD: '/' })
    expect(await verdictName(same)).toBe(await verdictName(subject))
    const named = { ...subject.environment, WHISPER_HIP_LIBRARY: '/module.so' }
    expect(await verdictName(other({ ...named, FAULT: '1' }))).not.toBe(await verdictName(other(named)))
    expect(await verdictName(other({ ...named, PWD: '/' }))).toBe(await verdictName(other(named)))
  })
})

describe('variables that change nothing for the GPU', () => {
  const named = async (environment: NodeJS.ProcessEnv, library?: string) =>
    verdictName({
      ...subject,
      environment: { ...environment, ...(library && { WHISPER_HIP_LIBRARY: library }) },
    })

  it.each([
    'AMD_LOG_LEVEL',
    'AMD_LOG_MASK',
    'AMD_LOG_LEVEL_FILE',
    'HSAKMT_DEBUG_LEVEL',
    'AMD_COMGR_EMIT_VERBOSE_LOGS',
    'ROCBLAS_LAYER',
    'ROCBLAS_LOG_TRACE_PATH',
    'HIPBLASLT_LOG_LEVEL',
    'HIPBLASLT_LOG_FILE',
    'TENSILE_DB',
    'GGML_SCHED_DEBUG',
    'LD_DEBUG',
    'WHISPER_HIP_TRIAL_SECONDS',
    'WHISPER_HIP_WATCH_SECONDS',
    'WHISPER_HIP_PINNED',
    'WHISPER_HIP_BUILD',
    'WHISPER_HIP_FFMPEG',
    'WHISPER_HIP_CACHE',
  ])('%s, also for a module that the user names', async (name) => {
    expect(await named({ [name]: '1' })).toBe(await named({}))
    expect(await named({ [name]: '1' }, '/module.so')).toBe(await named({}, '/module.so'))
  })

  it.each([
    'AMD_COMGR_CACHE',
    'AMD_SERIALIZE_KERNEL',
    'GGML_CUDA_DISABLE_GRAPHS',
    'GPU_MAX_HW_QUEUES',
    'HIP_LAUNCH_BLOCKING',
    'HSA_ENABLE_SDMA',
    'HSA_OVERRIDE_GFX_VERSION_1',
    'LD_PRELOAD',
    'ROCBLAS_TENSILE_LIBPATH',
    'ROCBLAS_USE_HIPBLASLT',
    'ROCBLAS_CHECK_NUMERICS',
    'TENSILE_DB2',
  ])('%s is none of them', async (name) => {
    expect(await named({ [name]: '1' })).not.toBe(await named({}))
  })
})

describe('a verdict', () => {
  const file = (name: string) => join(folder, 'cache/probe', `${name}.json`)
  const put = (name: string, content: string) => {
    mkdirSync(join(folder, 'cache/probe'), { recursive: true })
    writeFileSync(file(name), content)
  }

  it('is read as it was written, and leaves no other file', async () => {
    const name = await verdictName(subject)
    expect(await readVerdict(name)).toBeNull()
    expect(await writeVerdict(name, outcome)).toBeNull()
    expect(await readVerdict(name)).toEqual(outcome)
    expect(readdirSync(join(folder, 'cache/probe'))).toEqual([`${name}.json`])
    dropVerdict(name)
    expect(await readVerdict(name)).toBeNull()
    dropVerdict(name)
  })

  const stage = { name: 'add', milliseconds: 1, ok: true }
  const device = { name: 'ROCm0', description: 'x', pciId: '', memoryFree: 1, memoryTotal: 2 }
  it.each<[string, unknown]>([
    ['a number', 1],
    ['null', null],
    ['a list', []],
    ...Object.keys(outcome).flatMap((key): [string, unknown][] => [
      [`without ${key}`, { ...outcome, [key]: undefined }],
      [`with ${key} null`, { ...outcome, [key]: null }],
      [`with ${key} a function of none`, { ...outcome, [key]: { length: 1 } }],
    ]),
    ['whose stages hold null', { ...outcome, stages: [null] }],
    ['whose stages hold a number', { ...outcome, stages: [stage, 7] }],
    ['whose stage has no time', { ...outcome, stages: [{ ...stage, milliseconds: '1' }] }],
    ['whose stage has a problem that is none', { ...outcome, stages: [{ ...stage, problem: 1 }] }],
    ['whose stage has an error that is none', { ...outcome, stages: [{ ...stage, error: 'small' }] }],
    ['whose stage has a number for a type of weights', { ...outcome, stages: [{ ...stage, weights: 4 }] }],
    ['whose stage is unsupported in part', { ...outcome, stages: [{ ...stage, unsupported: 'yes' }] }],
    ['whose devices hold null', { ...outcome, devices: [null] }],
    ['whose device has no name', { ...outcome, devices: [{ ...device, name: undefined }] }],
    ['whose device has no memory', { ...outcome, devices: [{ ...device, memoryFree: '1' }] }],
    ['whose exit is of no kind', { ...outcome, exit: { kind: 'thing' } }],
    ['whose exit has no code', { ...outcome, exit: { kind: 'code' } }],
    ['whose signal is a number', { ...outcome, exit: { kind: 'signal', signal: 9 } }],
    ['whose limit has no seconds', { ...outcome, exit: { kind: 'timeout', of: 'stage' } }],
    ['whose limit is of nothing', { ...outcome, exit: { kind: 'timeout', seconds: 30 } }],
    ['that was not started', { ...outcome, exit: { kind: 'not started', problem: 'x' } }],
    ['of no attempt', { ...outcome, attempts: 0 }],
    ['of half an attempt', { ...outcome, attempts: 1.5 }],
  ])('is not one %s', async (_, content) => {
    put('some', JSON.stringify(content))
    expect(await readVerdict('some')).toBeNull()
  })

  it.each(['', '{', '\u0000'.repeat(100), `${JSON.stringify(outcome)}x`])(
    'is not one when the file holds %j',
    async (content) => {
      put('some', content)
      expect(await readVerdict('some')).toBeNull()
    },
  )

  it('is not one that is larger than any can be, a folder, a link to nothing, or a pipe', async () => {
    put('large', JSON.stringify({ ...outcome, stderr: 'x'.repeat(2 << 20) }))
    mkdirSync(file('folder'))
    symlinkSync('nothing', file('link'))
    execFileSync('mkfifo', [file('pipe')])
    for (const name of ['large', 'folder', 'link', 'pipe']) expect(await readVerdict(name)).toBeNull()
  })

  it('has every field that a stage and a device can have', async () => {
    const full = {
      ...outcome,
      stages: [
        { ...stage, error: 1e-9 },
        { ...stage, ok: false, error: null, problem: 'wrong numbers' },
        { ...stage, weights: 'q4_K', unsupported: true as const },
      ],
      devices: [device],
    }
    await writeVerdict('full', full)
    expect(await readVerdict('full')).toEqual(full)
    put('more', JSON.stringify({ ...full, of: 'another release' }))
    expect(await readVerdict('more')).toEqual(full)
  })

  it('takes the place of a link to nothing', async () => {
    put('other', '')
    symlinkSync('nothing', file('link'))
    expect(await writeVerdict('link', outcome)).toBeNull()
    expect(JSON.parse(readFileSync(file('link'), 'utf8'))).toEqual(outcome)
  })

  it.each<[string, () => void]>([
    ['a file is in the place of the cache', () => writeFileSync(join(folder, 'cache'), '')],
    ['the cache lies below a file', () => vi.stubEnv('WHISPER_HIP_CACHE', join(folder, 'module.so/cache'))],
    [
      'a folder is in the place of the verdict',
      () => mkdirSync(join(folder, 'cache/probe/some.json'), { recursive: true }),
    ],
    ['the cache is a link in a circle', () => symlinkSync('cache', join(folder, 'cache'))],
  ])('is kept for this process where %s, until it can be written or is dropped', async (_, prepare) => {
    prepare()
    expect(await writeVerdict('some', outcome)).toMatch(/E[A-Z]+/)
    expect(await readVerdict('some')).toEqual(outcome)
    dropVerdict('some')
    expect(await readVerdict('some')).toBeNull()
  })
})
