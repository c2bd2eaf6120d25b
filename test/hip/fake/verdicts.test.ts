// How long the answer of a trial holds: what was not the GPU's doing is not kept, and what was is not tried again and again.
import { type ChildProcess, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { BackendInfo } from '../../../lib/index.ts'
import { fakeGpu } from '../build.mjs'
import { errorOf, GREEDY, type Observation, Scene, valueIn } from '../scene.ts'

let scene: Scene
beforeEach(() => {
  scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu })
})
afterEach(() => scene[Symbol.dispose]())

/** The script in a file: another one is no other environment. */
function fake(script: string): Record<string, string> {
  writeFileSync(scene.path('script'), script)
  return { WHISPER_HIP_FAKE: `@${scene.path('script')}` }
}

const infoOf = (observation: Observation, index = 0) => valueIn<BackendInfo>(observation, 'info', index)
const info = async (script: string, environment: Record<string, string> = {}) =>
  infoOf(await scene.observe([['info']], { ...fake(script), ...environment }))

const verdicts = () => {
  const folder = scene.path('cache/probe')
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}

/** Waits until the trial computes and hangs, and returns the number of its process. */
async function trialOf(program: ChildProcess): Promise<number> {
  return vi.waitFor(
    () => {
      const line = readFileSync(scene.path('trace'), 'utf8')
        .split('\n')
        .find((line) => / graph /.test(line))
      const pid = Number(line?.split(' ')[0])
      expect(pid).toBeGreaterThan(0)
      expect(pid).not.toBe(program.pid)
      return pid
    },
    { timeout: 60_000, interval: 20 },
  )
}

const hanging = () => `trace=${scene.path('trace')}; hang=graph`
/** A process that has ended can still be listed. */
const isAlive = (pid: number) => {
  try {
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

describe('a trial that somebody else ends', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGKILL', 'SIGUSR2', 'SIGALRM'] as const)(
    '%s: PROBE_INTERRUPTED, and the next call tries again',
    async (signal) => {
      const first = await scene.observe([['info']], fake(hanging()), async (program) =>
        process.kill(await trialOf(program), signal),
      )
      expect(infoOf(first)).toMatchObject({
        active: 'cpu',
        reason: 'PROBE_INTERRUPTED',
        message: expect.stringContaining(signal),
        probe: { exit: signal, cached: false },
        devices: [{ reason: 'PROBE_INTERRUPTED' }],
      })
      expect(infoOf(first).advice[0]).toMatch(/npx whisper-hip doctor --refresh/)
      expect(verdicts()).toEqual([])
      expect(await info('')).toMatchObject({ reason: 'OK', probe: { cached: false } })
    },
  )

  it.each(['SIGSEGV', 'SIGBUS', 'SIGFPE'] as const)('but %s is a crash, which is kept', async (signal) => {
    await scene.observe([['info']], fake(hanging()), async (program) =>
      process.kill(await trialOf(program), signal),
    )
    expect(await info('')).toMatchObject({ reason: 'PROBE_CRASHED', probe: { cached: true, exit: signal } })
  })

  it('Ctrl-C in a program that goes on does not reach the trial', async () => {
    const observation = await scene.observe(
      [['outlive', 'SIGINT'], ['info']],
      fake(hanging()),
      async (program) => {
        const trial = await trialOf(program)
        process.kill(-Number(program.pid), 'SIGINT')
        await new Promise((resolve) => setTimeout(resolve, 300))
        expect(isAlive(trial)).toBe(true)
        process.kill(trial, 'SIGTERM')
      },
    )
    expect(infoOf(observation)).toMatchObject({ probe: { exit: 'SIGTERM' } })
  })

  it.each(['SIGINT', 'SIGKILL'] as const)('%s ends the program, and the trial with it', async (signal) => {
    let trial = 0
    const observation = await scene.observe([['info']], fake(hanging()), async (program) => {
      trial = await trialOf(program)
      process.kill(-Number(program.pid), signal)
    })
    expect(observation).toMatchObject({ signal, came: [] })
    await vi.waitFor(() => expect(isAlive(trial)).toBe(false), { timeout: 5000 })
    expect(verdicts()).toEqual([])
    expect(await info('')).toMatchObject({ reason: 'OK', probe: { cached: false } })
  })
})

describe('a limit of time that was missed', () => {
  const short = { WHISPER_HIP_TRIAL_SECONDS: '8' }

  it('is that of a stage or that of the whole, as the variable sets them', async () => {
    expect(await info('hang=graph', short)).toMatchObject({
      reason: 'PROBE_TIMEOUT',
      message: expect.stringMatching(/within 4 s in the stage "add"/),
      probe: { exit: 'killed after 4 s' },
      environment: short,
      notes: [],
    })
    const whole = await info('slow=900', { WHISPER_HIP_TRIAL_SECONDS: '5', HSA_XNACK: '1' })
    expect(whole).toMatchObject({
      reason: 'PROBE_TIMEOUT',
      message: expect.stringMatching(/within 5 s, which WHISPER_HIP_TRIAL_SECONDS allows for the whole/),
    })
    expect(whole.advice[0]).toMatch(/quiet: npx whisper-hip doctor --refresh/)
  })

  it('is not one with a value that is none, and a note says so', async () => {
    expect(
      await info('', { WHISPER_HIP_TRIAL_SECONDS: '0', WHISPER_HIP_WATCH_SECONDS: 'soon' }),
    ).toMatchObject({
      reason: 'OK',
      notes: [
        { message: expect.stringMatching(/WHISPER_HIP_TRIAL_SECONDS="0"/) },
        { message: expect.stringMatching(/WHISPER_HIP_WATCH_SECONDS="soon"/) },
      ],
    })
  })

  it('holds for 5 minutes, then for 30, and not when more time is allowed', async () => {
    expect(await info('hang=graph', short)).toMatchObject({ probe: { cached: false } })
    const known = await info('', short)
    expect(known).toMatchObject({ reason: 'PROBE_TIMEOUT', probe: { cached: true } })
    expect(known.advice.at(-1)).toMatch(/earlier trial.*by itself in 5 min/)
    const [file = ''] = verdicts()
    const back = (minutes: number) => {
      const kept = JSON.parse(readFileSync(file, 'utf8'))
      writeFileSync(file, JSON.stringify({ ...kept, at: kept.at - minutes * 60_000 }))
    }
    back(6)
    expect(await info('hang=graph', short)).toMatchObject({ probe: { cached: false } })
    back(6)
    expect((await info('', short)).advice.at(-1)).toMatch(/by itself in 2[34] min/)
    expect(await info('', { WHISPER_HIP_TRIAL_SECONDS: '60' })).toMatchObject({
      reason: 'OK',
      probe: { cached: false },
    })
    expect(verdicts()).toEqual([file])
  })

  it('holds until the machine is quiet when it was busy', async () => {
    const pressure = (share: number) =>
      scene.machine.file('/proc/pressure/cpu', `some avg10=0.00 avg60=${share}.00 avg300=0.00 total=1\n`)
    pressure(80)
    expect(await info('hang=graph', short)).toMatchObject({
      message: expect.stringMatching(/on a busy machine/),
    })
    expect(await info('', short)).toMatchObject({ reason: 'PROBE_TIMEOUT', probe: { cached: true } })
    pressure(1)
    expect(await info('', short)).toMatchObject({ reason: 'OK', probe: { cached: false } })
  })

  it('is not missed where this process did not listen', async () => {
    const observation = await scene.observe([['giveUp', 300, null], ['block', 9000], ['info']], {
      ...fake(''),
      ...short,
    })
    expect(infoOf(observation).reason).toBe('OK')
  })
})

describe('a cache that cannot be written', () => {
  it.each<[string, () => string]>([
    [
      'a file is in its place',
      () => {
        writeFileSync(scene.path('cache'), '')
        return scene.path('cache')
      },
    ],
    ['it lies below a file', () => join(scene.model, 'cache')],
    ['it is a device', () => '/dev/null'],
  ])(
    '%s: a GPU that hangs is not tried again by the same process, unless it is asked to',
    async (_, cache) => {
      const environment = {
        ...fake('hang=graph'),
        WHISPER_HIP_TRIAL_SECONDS: '8',
        WHISPER_HIP_CACHE: cache(),
      }
      const observation = await scene.observe(
        [['info'], ['info'], ['load', scene.model], ['info', { refresh: true }]],
        environment,
      )
      expect(infoOf(observation, 0)).toMatchObject({
        reason: 'PROBE_TIMEOUT',
        probe: { cached: false },
        notes: [
          {
            message: expect.stringMatching(/cannot be kept on disk.*E[A-Z]+/),
            advice: [expect.stringMatching(/WHISPER_HIP_CACHE/)],
          },
        ],
      })
      expect(infoOf(observation, 1)).toMatchObject({ reason: 'PROBE_TIMEOUT', probe: { cached: true } })
      expect(observation.came[2]).toMatchObject({ value: { active: 'cpu', reason: 'PROBE_TIMEOUT' } })
      expect(observation.came[2]?.seconds).toBeLessThan(3.5)
      expect(infoOf(observation, 2)).toMatchObject({ reason: 'PROBE_TIMEOUT', probe: { cached: false } })
    },
  )

  it('a GPU that hangs is not tried again by models in processes of their own', async () => {
    const load = ['load', scene.model, { backend: 'hip', isolation: 'process' }] as const
    const trace = scene.path('trace')
    const observation = await scene.observe([load, load, ['info']], {
      ...fake(`trace=${trace}; hang=graph`),
      WHISPER_HIP_TRIAL_SECONDS: '8',
      WHISPER_HIP_CACHE: '/dev/null',
    })
    expect(errorOf(observation, 'load', 0).reason).toBe('PROBE_TIMEOUT')
    expect(errorOf(observation, 'load', 1).reason).toBe('PROBE_TIMEOUT')
    expect(infoOf(observation)).toMatchObject({ reason: 'PROBE_TIMEOUT', probe: { cached: true } })
    expect(scene.processesOf('trace')).toHaveLength(1)
  })

  it('does no harm to a GPU that works', async () => {
    expect(await info('', { WHISPER_HIP_CACHE: '/dev/null/cache' })).toMatchObject({
      active: 'hip',
      notes: [{ message: expect.stringMatching(/ENOTDIR/) }],
    })
  })
})

describe('a verdict that is none', () => {
  const damaged: readonly [string, (path: string, kept: Record<string, unknown>) => void][] = [
    ['is empty', (path) => writeFileSync(path, '')],
    [
      'has stages that are null',
      (path, kept) => writeFileSync(path, JSON.stringify({ ...kept, stages: null })),
    ],
    [
      'has a stage that is a number',
      (path, kept) => writeFileSync(path, JSON.stringify({ ...kept, stages: [1] })),
    ],
    [
      'has a stage that is null',
      (path, kept) => writeFileSync(path, JSON.stringify({ ...kept, stages: [null] })),
    ],
    [
      'has an exit without seconds',
      (path, kept) => writeFileSync(path, JSON.stringify({ ...kept, exit: { kind: 'timeout' } })),
    ],
    ['has a number for stderr', (path, kept) => writeFileSync(path, JSON.stringify({ ...kept, stderr: 5 }))],
    [
      'has wrong devices',
      (path, kept) => writeFileSync(path, JSON.stringify({ ...kept, devices: [{ name: 1 }] })),
    ],
    ['is huge', (path) => writeFileSync(path, `"${'x'.repeat(20e6)}"`)],
    ['is a folder', (path) => mkdirSync(path)],
    ['is a link to nothing', (path) => symlinkSync('/nonexistent', path)],
    ['is a pipe', (path) => execFileSync('mkfifo', [path])],
  ]

  it('is not there', async () => {
    await info('')
    const [path = ''] = verdicts()
    const kept = JSON.parse(readFileSync(path, 'utf8'))
    for (const [what, damage] of damaged) {
      execFileSync('rm', ['-rf', path])
      damage(path, kept)
      expect(await info(''), what).toMatchObject({ reason: 'OK', probe: { cached: false } })
    }
  })
})

describe('what the answer depends on', () => {
  it('is not how much is logged, nor a limit', async () => {
    await info('')
    const more = {
      AMD_LOG_LEVEL: '3',
      HSAKMT_DEBUG_LEVEL: '7',
      ROCBLAS_LAYER: '1',
      GGML_SCHED_DEBUG: '2',
      WHISPER_HIP_WATCH_SECONDS: '9',
      WHISPER_HIP_TRIAL_SECONDS: '90',
    }
    expect(await info('', more)).toMatchObject({
      probe: { cached: true },
      environment: { AMD_LOG_LEVEL: '3' },
    })
    expect(await info('', { HSA_ENABLE_SDMA: '0' })).toMatchObject({ probe: { cached: false } })
  })
})

describe('a GPU that a job finds unsound', () => {
  it('is tried again by the next process', async () => {
    const environment = fake(`after=${scene.path('tried')}; abort=graph`)
    const first = await scene.observe(
      [
        ['load', scene.model],
        ['transcribe', 3, GREEDY],
      ],
      environment,
    )
    expect(errorOf(first, 'transcribe').reason).toBe('CONTEXT_POISONED')
    expect(verdicts()).toEqual([])
    expect(await info('')).toMatchObject({ reason: 'OK', probe: { cached: false } })
  })

  it('in a process of its own, too', async () => {
    const environment = fake(`after=${scene.path('tried')}; abort=graph`)
    const first = await scene.observe(
      [
        ['load', scene.model, { isolation: 'process' }],
        ['transcribe', 3, GREEDY],
      ],
      environment,
    )
    expect(errorOf(first, 'transcribe').reason).toBe('CONTEXT_POISONED')
    expect(verdicts()).toEqual([])
  })
})

describe('whoever waits for a trial', () => {
  interface Event {
    stage: string
    gpu?: string
    step?: string
  }
  const GPU = 'AMD Radeon RX 7900 XTX (0000:03:00.0)'

  it('is told its steps by backendInfo(), and nothing when the answer is known', async () => {
    const observation = await scene.observe([
      ['told', null],
      ['told', null],
    ])
    const events = valueIn<Event[]>(observation, 'told')
    expect(events[0]).toEqual({ stage: 'trial', progress: 0, gpu: GPU, step: 'start' })
    expect(events).toContainEqual({
      stage: 'trial',
      progress: 0,
      gpu: GPU,
      step: 'mul_mat f16 of one column',
    })
    expect(events.at(-1)).toEqual({ stage: 'trial', progress: 1, gpu: GPU, step: 'release' })
    expect(valueIn<Event[]>(observation, 'told', 1)).toEqual([])
  })

  it.each(['none', 'process'])(
    'is told its steps by loadModel(), before the load; isolation %s',
    async (isolation) => {
      const observation = await scene.observe([['told', scene.model, { isolation, backend: 'hip' }]])
      const events = valueIn<Event[]>(observation, 'told')
      expect(events).toContainEqual({
        stage: 'trial',
        progress: 0,
        gpu: GPU,
        step: 'mul_mat f16 of one column',
      })
      const stages = events.map(({ stage }) => stage)
      expect(stages.lastIndexOf('trial')).toBeLessThan(stages.indexOf('load'))
      expect(new Set(stages)).toEqual(new Set(['trial', 'load']))
    },
  )

  it('gets what its callback throws, and the process goes on', async () => {
    const observation = await scene.observe([
      ['disturbed', null],
      ['disturbed', scene.model],
      ['disturbed', scene.model, { isolation: 'process', backend: 'hip' }],
      ['info'],
    ])
    const error = { name: 'RangeError', message: 'of the callback' }
    expect(observation.came).toMatchObject([{ error }, { error }, { error }, { value: { active: 'hip' } }])
    expect(observation).toMatchObject({ finished: true, code: 0 })
  })

  it.each(['none', 'process'])(
    'can give up at once, and nothing is left; isolation %s',
    async (isolation) => {
      const observation = await scene.observe(
        [['giveUp', 1500, scene.model, { isolation }]],
        fake(`trace=${scene.path('trace')}; hang=graph`),
      )
      expect(observation.came[0]).toMatchObject({ error: { name: 'TimeoutError' } })
      expect(observation.came[0]?.seconds).toBeLessThan(4)
      expect(observation).toMatchObject({ finished: true, code: 0 })
      expect(observation.seconds).toBeLessThan(12)
      for (const pid of scene.processesOf('trace'))
        await vi.waitFor(() => expect(isAlive(Number(pid))).toBe(false), { timeout: 5000 })
      expect(verdicts()).toEqual([])
    },
  )
})
