import { describe, expect, it } from 'vitest'
import { judge, reasonOfText } from '../../../../lib/backend/probe/judge.ts'
import type { ProbeExit, ProbeOutcome } from '../../../../lib/backend/probe/protocol.ts'

const GPU = 'Radeon (0000:03:00.0)'
const stage = (name: string, more: object = {}) => ({ name, milliseconds: 1, ok: true, ...more })
const all = ['cpu', 'library', 'devices', 'backend', 'memory', 'add', 'release'].map((name) => stage(name))
const outcome = (more: Partial<ProbeOutcome> = {}): ProbeOutcome => ({
  stages: all,
  devices: [],
  exit: { kind: 'code', code: 0 },
  stderr: '',
  ...more,
})
const failing = (name: string, problem?: string) => [
  stage('cpu'),
  { ...stage(name), ok: false, ...(problem === undefined ? {} : { problem }) },
]

describe('judge', () => {
  it('passes a trial whose stages all are ok, also when the process died while it ended', () => {
    expect(judge(outcome(), GPU)).toMatchObject({ reason: 'OK', keep: 'until something changes' })
    expect(judge(outcome({ exit: { kind: 'signal', signal: 'SIGSEGV' } }), GPU)).toMatchObject({
      reason: 'OK',
    })
  })

  it('does not pass a trial that ended well before its last stage', () => {
    expect(judge(outcome({ stages: all.slice(0, -1) }), GPU)).toMatchObject({ reason: 'PROBE_CRASHED' })
    expect(judge(outcome({ stages: [] }), GPU).message).toContain('before its first stage')
  })

  it('names the stage, the signal and the end of stderr of a crash', () => {
    const { reason, message } = judge(
      outcome({
        stages: failing('mul_mat f16'),
        exit: { kind: 'signal', signal: 'SIGSEGV' },
        stderr: 'one\ntwo',
      }),
      GPU,
    )
    expect(reason).toBe('PROBE_CRASHED')
    expect(message).toBe(
      'The process that tried Radeon (0000:03:00.0) was ended by SIGSEGV in the stage "mul_mat f16"; it wrote: one | two',
    )
  })

  it('takes what ended the process for the cause of the wrong numbers before', () => {
    const stages = [
      stage('add', { ok: false, problem: 'wrong numbers: the error against the CPU is 1' }),
      stage('mul_mat f16', { ok: false }),
    ]
    const stderr = 'rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat'
    expect(
      judge(outcome({ stages, exit: { kind: 'signal', signal: 'SIGABRT' }, stderr }), GPU),
    ).toMatchObject({
      reason: 'ROCBLAS_KERNELS_MISSING',
      message: expect.stringContaining('in the stage "mul_mat f16"'),
    })
  })

  it('names every operation whose numbers are wrong', () => {
    const problem = 'wrong numbers: the error against the CPU is 1'
    const stages = [
      ...all.slice(0, -1).map((one) => (one.name === 'add' ? { ...one, ok: false, problem } : one)),
      stage('norm', { ok: false, problem }),
      stage('soft_max', { ok: false, problem }),
      stage('release'),
    ]
    expect(judge(outcome({ stages }), GPU)).toMatchObject({
      reason: 'NUMERIC_MISMATCH',
      message: expect.stringMatching(/in the stage "add".*wrong numbers also in "norm", "soft_max"$/),
    })
  })

  it('names the first of many, and how many more there are', () => {
    const problem = 'wrong numbers: the error against the CPU is 1'
    const many = Array.from({ length: 60 }, (_, i) => stage(`mul_mat ${i}`, { ok: false, problem }))
    const { message } = judge(outcome({ stages: [...many, stage('release')] }), GPU)
    expect(message).toMatch(
      /in the stage "mul_mat 0".*wrong numbers also in "mul_mat 1", .*, "mul_mat 5" and 54 more$/,
    )
  })

  it('names the stage that took too long, and the limit', () => {
    const timeout = (of: 'stage' | 'trial', seconds: number, more: object = {}) =>
      judge(outcome({ stages: failing('devices'), exit: { kind: 'timeout', seconds, of, ...more } }), GPU)
    expect(timeout('stage', 30)).toMatchObject({
      reason: 'PROBE_TIMEOUT',
      keep: 'for a while',
      message: expect.stringMatching(/within 30 s in the stage "devices"$/),
    })
    expect(timeout('trial', 60).message).toMatch(
      /within 60 s, which WHISPER_HIP_TRIAL_SECONDS allows.* in the stage "devices"$/,
    )
    expect(timeout('stage', 30, { busy: true }).message).toMatch(/on a busy machine/)
  })

  it('takes a fault that was reported before a hang for what it is', () => {
    const exit = { kind: 'timeout', seconds: 30, of: 'stage' } as const
    const stderr = 'Memory access fault by GPU node-1'
    expect(judge(outcome({ stages: failing('add'), exit, stderr }), GPU)).toMatchObject({
      reason: 'GPU_FAULT',
      keep: 'until something changes',
    })
  })

  it.each([
    ['library', '/opt/rocm/lib/librocblas.so.4: file too short', 'HIP_RUNTIME_DAMAGED'],
    ['library', '/opt/rocm/lib/libamdhip64.so.6: invalid ELF header', 'HIP_RUNTIME_DAMAGED'],
    [
      'library',
      'libamdhip64.so.7: cannot open shared object file: No such file or directory',
      'HIP_RUNTIME_MISSING',
    ],
    [
      'library',
      "/x/libamdhip64.so.6: version `hip_6.4' not found (required by libggml-hip.so)",
      'HIP_RUNTIME_VERSION_MISMATCH',
    ],
    [
      'library',
      'libamdhip64.so.7: undefined symbol: hsa_amd_enable_logging, version ROCR_1',
      'HIP_RUNTIME_VERSION_MISMATCH',
    ],
    ['library', 'libggml-hip.so: undefined symbol: ggml_backend_reg_thing', 'BACKEND_API_MISMATCH'],
    ['library', 'libggml-hip.so: file too short', 'BACKEND_LIBRARY_MISSING'],
    ['library', 'the loader does not say', 'BACKEND_LIBRARY_MISSING'],
    [
      'devices',
      'ggml_cuda_init: failed to initialize ROCm: no ROCm-capable device is detected',
      'HIP_INIT_FAILED',
    ],
    ['devices', 'incompatible API version (backend: 3, current: 2)', 'BACKEND_API_MISMATCH'],
    [
      'devices',
      'ggml_cuda_init: failed to initialize ROCm: CUDA driver version is insufficient for CUDA runtime version',
      'HIP_RUNTIME_VERSION_MISMATCH',
    ],
    ['memory', 'out of memory: 4 MiB could not be allocated on the device', 'OUT_OF_MEMORY'],
    ['add', 'wrong numbers: the error against the CPU is 1', 'NUMERIC_MISMATCH'],
    ['add', 'something new', 'UNKNOWN'],
  ])('in the stage %s: %s', (name, problem, reason) => {
    expect(judge(outcome({ stages: failing(name, problem) }), GPU)).toMatchObject({ reason })
  })

  it.each([
    [
      'rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file or directory for GPU arch : gfx1103',
      'ROCBLAS_KERNELS_MISSING',
    ],
    ['Memory access fault by GPU node-1 (Agent handle: 0x5) on address (nil).', 'GPU_FAULT'],
    ['HW Exception by GPU node-1 reason :GPU Hang', 'GPU_FAULT'],
    ['hip_fatbin.cpp: No compatible code objects found for: gfx1152', 'NO_CODE_OBJECT_FOR_GPU'],
    ['ROCm error: invalid device function', 'NO_CODE_OBJECT_FOR_GPU'],
    ['ROCm error: device kernel image is invalid', 'NO_CODE_OBJECT_FOR_GPU'],
    ['ROCm error: out of memory', 'OUT_OF_MEMORY'],
    ['whisper-hip: ggml gave up', 'PROBE_CRASHED'],
  ])('of a process that died and wrote: %s', (stderr, reason) => {
    const died = outcome({ stages: failing('add'), exit: { kind: 'signal', signal: 'SIGABRT' }, stderr })
    expect(judge(died, GPU)).toMatchObject({ reason })
  })

  it('does not say twice what the problem and stderr have in common', () => {
    const problem = 'failed to initialize ROCm: unknown error'
    const { message } = judge(outcome({ stages: failing('devices', `${problem}\n`), stderr: problem }), GPU)
    expect(message.split(problem)).toHaveLength(2)
  })

  it('keeps no verdict of a process that could not be started', () => {
    const judgement = judge(outcome({ stages: [], exit: { kind: 'not started', problem: 'EAGAIN' } }), GPU)
    expect(judgement).toMatchObject({ reason: 'PROBE_CRASHED', keep: 'not' })
    expect(judgement.message).toContain('EAGAIN')
  })
})

describe('how long an answer holds', () => {
  const died = (signal: string, name = 'add', more: Partial<ProbeOutcome> = {}) =>
    judge(outcome({ stages: failing(name), exit: { kind: 'signal', signal }, ...more }), GPU)

  it.each([
    'SIGINT',
    'SIGTERM',
    'SIGHUP',
    'SIGQUIT',
    'SIGKILL',
    'SIGUSR1',
    'SIGPIPE',
    'SIGXCPU',
    'SIGPWR',
    '',
  ])('not at all after %s, which comes from outside', (signal) => {
    expect(died(signal)).toMatchObject({ reason: 'PROBE_INTERRUPTED', keep: 'not' })
  })

  it.each(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP', 'SIGSYS'])(
    'until something changes after %s, which is a crash',
    (signal) => {
      expect(died(signal)).toMatchObject({ reason: 'PROBE_CRASHED', keep: 'until something changes' })
      expect(died(signal, 'library').keep).toBe('until something changes')
    },
  )

  it('says of SIGKILL whether the kernel ended a process for want of memory', () => {
    expect(died('SIGKILL').message).toMatch(/SIGKILL, perhaps by the kernel .*journalctl/)
    const exit: ProbeExit = { kind: 'signal', signal: 'SIGKILL', outOfMemory: true }
    expect(died('', 'add', { exit }).message).toMatch(/SIGKILL, by the kernel for want of memory, in/)
    expect(died('SIGTERM').message).not.toMatch(/memory/)
  })

  it('takes a fault that was reported before a signal from outside for what it is', () => {
    const stderr = 'HW Exception by GPU node-1 reason :GPU Hang'
    expect(died('SIGKILL', 'add', { stderr })).toMatchObject({
      reason: 'GPU_FAULT',
      keep: 'until something changes',
    })
  })

  it.each([
    ['SIGABRT', "terminate called after throwing an instance of 'std::bad_alloc'"],
    ['SIGTRAP', 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'],
  ])('not at all after %s for want of the machine’s memory', (signal, stderr) => {
    expect(died(signal, 'add', { stderr })).toMatchObject({ reason: 'PROBE_INTERRUPTED', keep: 'not' })
  })

  it('not at all of what ended before the GPU was touched', () => {
    const exit: ProbeExit = { kind: 'code', code: 1 }
    expect(judge(outcome({ stages: [], exit }), GPU).keep).toBe('not')
    expect(died('SIGSEGV', 'cpu').keep).toBe('not')
    expect(judge(outcome({ stages: failing('library', 'file too short') }), GPU).keep).toBe('not')
    expect(judge(outcome({ stages: failing('library'), exit }), GPU).keep).toBe('until something changes')
  })

  it.each([
    ['add', 'wrong numbers: the error against the CPU is 1', 'until something changes'],
    ['devices', 'no ROCm-capable device is detected', 'for a while'],
    ['add', 'something new', 'for a while'],
    ['add', 'rocBLAS error: Cannot read TensileLibrary.dat', 'for a while'],
    ['memory', 'out of memory: 4 MiB could not be allocated', 'not'],
  ])('after the problem in the stage %s: %s: %s', (name, problem, keep) => {
    expect(judge(outcome({ stages: failing(name, problem) }), GPU).keep).toBe(keep)
  })
})

describe('reasonOfText', () => {
  it('knows nothing of an empty text', () => {
    expect(reasonOfText('')).toBe('UNKNOWN')
  })
})
