// Machines with two GPUs, and programs that start others: who sees which GPU.
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BackendInfo, ModelBackend } from '../../../lib/index.ts'
import { GB } from '../../fixtures/sysroot.ts'
import { fakeGpu } from '../build.mjs'
import { errorOf, GREEDY, type Run, Scene, valueIn } from '../scene.ts'

const TWO = 'devices=2; pci=0000:03:00.0,0000:0a:00.0'
const BEST = '0000:03:00.0'
const SECOND = '0000:0a:00.0'

let scene: Scene
beforeEach(() => {
  scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu })
  scene.machine.gpu({
    pciId: SECOND,
    device: '0x73bf',
    gfx: 100300,
    node: 2,
    minor: 129,
    memory: 16 * GB,
    name: 'Radeon RX 6800',
  })
})
afterEach(() => scene[Symbol.dispose]())

function fake(script: string): Record<string, string> {
  writeFileSync(scene.path('script'), `${TWO}; ${script}`)
  return { WHISPER_HIP_FAKE: `@${scene.path('script')}` }
}

describe('the best GPU fails its trial', () => {
  it.each([
    ['wrong=SOFT_MAX', 'NUMERIC_MISMATCH'],
    ['segfault=graph', 'PROBE_CRASHED'],
    ['fault=graph', 'GPU_FAULT'],
    ['oom=#1', 'OUT_OF_MEMORY'],
    ['error=initialization error', 'HIP_INIT_FAILED'],
    ['kill=graph', 'PROBE_INTERRUPTED'],
  ])('%s: the next one is used, with a note about the first', async (fault, reason) => {
    const observation = await scene.observe(
      [['info'], ['load', scene.model, { backend: 'hip' }], ['transcribe', 3, GREEDY], ['info']],
      fake(`on=0; ${fault}`),
    )
    // What is not kept is not known any more when HIP has been started for the other one.
    const isKept = reason !== 'OUT_OF_MEMORY' && reason !== 'PROBE_INTERRUPTED'
    for (const index of isKept ? [0, 1] : [0]) {
      const info = valueIn<BackendInfo>(observation, 'info', index)
      expect(info).toMatchObject({
        active: 'hip',
        reason: 'OK',
        message: expect.stringMatching(new RegExp(`${SECOND}.*in place of .*${BEST}.*${reason}`)),
        device: { pciId: SECOND },
        devices: [
          { pciId: BEST, reason },
          { pciId: SECOND, reason: 'OK' },
        ],
        probe: { exit: 'code 0' },
      })
      expect(info.notes[0]).toMatchObject({ reason, message: expect.stringContaining(BEST) })
      expect(info.notes[0]?.advice.length).toBeGreaterThan(0)
    }
    expect(valueIn<ModelBackend>(observation, 'load')).toMatchObject({
      active: 'hip',
      message: expect.stringMatching(new RegExp(`${SECOND}.*${reason}`)),
    })
    expect(valueIn<Run>(observation, 'transcribe').stats.backend).toBe('hip')
  })

  it('is not replaced when it was asked for', async () => {
    const environment = fake('on=0; wrong=SOFT_MAX')
    const steps = [0, BEST, 'RX 7900'].map(
      (device) => ['load', scene.model, { backend: 'hip', device }] as const,
    )
    const observation = await scene.observe(steps, environment)
    for (const index of [0, 1, 2]) {
      expect(errorOf(observation, 'load', index)).toMatchObject({
        code: 'ERR_BACKEND_UNAVAILABLE',
        reason: 'NUMERIC_MISMATCH',
        message: expect.stringContaining(BEST),
      })
    }
  })

  it('and so does the second: the answer is about the best, a note about the other', async () => {
    const observation = await scene.observe([['info']], fake('on=0; wrong=ADD; on=1; segfault=graph'))
    expect(valueIn<BackendInfo>(observation, 'info')).toMatchObject({
      active: 'cpu',
      reason: 'NUMERIC_MISMATCH',
      message: expect.stringContaining(BEST),
      device: null,
      devices: [{ reason: 'NUMERIC_MISMATCH' }, { reason: 'PROBE_CRASHED' }],
      notes: [{ reason: 'PROBE_CRASHED', message: expect.stringContaining(SECOND) }],
    })
  })

  it('and is sound later: the process stays with the one that HIP was started for, the next takes the best', async () => {
    const observation = await scene.observe(
      [
        ['load', scene.model, { backend: 'hip' }],
        ['load', scene.model, { backend: 'hip' }],
        ['transcribe', 3, GREEDY],
      ],
      // The first trial of the best one lacks memory, which says nothing of the next one.
      fake('on=0; oom=#1'),
    )
    expect(valueIn<ModelBackend>(observation, 'load', 1).message).toContain(SECOND)
    const later = await scene.observe([['info']], fake(''))
    expect(valueIn<BackendInfo>(later, 'info')).toMatchObject({ device: { pciId: BEST }, notes: [] })
  })
})

describe('a program that is started by one that uses a GPU', () => {
  const names = ['ROCR_VISIBLE_DEVICES', 'HIP_VISIBLE_DEVICES', 'WHISPER_HIP_PINNED']
  const load = (device: number) => ['load', scene.model, { backend: 'hip', device }] as const

  it('sees all GPUs, and what the user set', async () => {
    const observation = await scene.observe(
      [
        load(1),
        ['inherited', ...names],
        ['environment', ...names],
        ['child', [['info'], ['environment', ...names]]],
      ],
      fake(''),
    )
    expect(observation.came.map(({ step, error }) => [step, error])).not.toContainEqual([
      'child',
      expect.anything(),
    ])
    expect(valueIn(observation, 'inherited')).toEqual({})
    expect(valueIn(observation, 'environment', 0)).toEqual({})
    expect(valueIn(observation, 'environment', 1)).toEqual({})
    expect(valueIn<BackendInfo>(observation, 'info')).toMatchObject({
      active: 'hip',
      device: { pciId: BEST },
      devices: [{ reason: 'OK' }, { reason: 'OK' }],
      notes: [],
    })
  })

  it('sees what the user set where the user set something', async () => {
    const user = { ROCR_VISIBLE_DEVICES: '1,0', HIP_VISIBLE_DEVICES: '0' }
    const observation = await scene.observe(
      [
        ['load', scene.model, { backend: 'hip' }],
        ['inherited', ...names],
      ],
      {
        ...fake(''),
        ...user,
      },
    )
    expect(valueIn<ModelBackend>(observation, 'load').message).toContain(SECOND)
    expect(valueIn(observation, 'inherited')).toEqual(user)
  })

  it('may use the other GPU, and so may its child', async () => {
    const observation = await scene.observe(
      [load(0), ['child', [load(1), ['child', [load(0), ['info']]]]]],
      fake(''),
    )
    const loads = [0, 1, 2].map((index) => valueIn<ModelBackend>(observation, 'load', index).message)
    expect(loads[0]).toContain(BEST)
    expect(loads[1]).toContain(SECOND)
    expect(loads[2]).toContain(BEST)
  })

  it('undoes the pin of a program that was just starting HIP, but not what was set after it', async () => {
    const pinned = { ROCR_VISIBLE_DEVICES: '1', WHISPER_HIP_PINNED: '{"ROCR_VISIBLE_DEVICES":["1",null]}' }
    const undone = await scene.observe([['info'], load(0), ['inherited', ...names]], {
      ...fake(''),
      ...pinned,
    })
    expect(valueIn<BackendInfo>(undone, 'info')).toMatchObject({ device: { pciId: BEST }, environment: {} })
    expect(valueIn<BackendInfo>(undone, 'info').environment).not.toHaveProperty('ROCR_VISIBLE_DEVICES')
    expect(valueIn(undone, 'inherited')).toEqual({})
    const own = await scene.observe([['info']], { ...fake(''), ...pinned, ROCR_VISIBLE_DEVICES: '0,1' })
    expect(valueIn<BackendInfo>(own, 'info').environment).toMatchObject({ ROCR_VISIBLE_DEVICES: '0,1' })
  })

  it.each(['', 'nonsense', 'null', '{"PATH":["x","y"]}', '{"ROCR_VISIBLE_DEVICES":7}'])(
    'is not disturbed by a mark that is none: %j',
    async (mark) => {
      const observation = await scene.observe([['info']], { ...fake(''), WHISPER_HIP_PINNED: mark })
      expect(valueIn<BackendInfo>(observation, 'info')).toMatchObject({
        reason: 'OK',
        device: { pciId: BEST },
      })
    },
  )

  it('finds the variables as they were when HIP did not start', async () => {
    const observation = await scene.observe(
      [['load', scene.model], ['inherited', ...names], ['info']],
      fake(`after=${scene.path('tried')}; error=made up`),
    )
    expect(valueIn(observation, 'load')).toMatchObject({ active: 'cpu', reason: 'HIP_INIT_FAILED' })
    expect(valueIn(observation, 'inherited')).toEqual({})
  })
})
