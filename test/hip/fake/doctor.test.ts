// `doctor --run` with real weights, on a GPU that computes on the CPU and may go wrong after its trial.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Run } from '../../../lib/cli/doctor/run.ts'
import { locateModel } from '../../../lib/model/locate.ts'
import { runCli } from '../../process/cli.ts'
import { fakeGpu } from '../build.mjs'
import { Scene } from '../scene.ts'

let base: string
const scenes: Scene[] = []

beforeAll(async () => {
  base = (await locateModel('base', {})).input as string
})
afterAll(() => {
  for (const scene of scenes) scene[Symbol.dispose]()
})

/** @param script of the fake GPU, in a scene of its own, for what happens after the trial */
function doctor(script: (scene: Scene) => string, ...args: string[]) {
  const scene = new Scene({})
  scenes.push(scene)
  const env = {
    WHISPER_HIP_LIBRARY: fakeGpu,
    WHISPER_HIP_FAKE: script(scene),
    WHISPER_HIP_SYSROOT: scene.machine.folder,
    WHISPER_HIP_CACHE: scene.path('cache'),
  }
  return runCli(['doctor', '--run', '--model', base, ...args], { env, seconds: 200 })
}

const later = (fault: string) => (scene: Scene) => `after=${scene.path('tried')}; ${fault}`

it('shows the text of both, the error of each operation, where the nodes ran, and the speed', async () => {
  const ended = await doctor(() => '')
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  const report = ended.stdout.replace(/\s+/g, ' ')
  expect(report).toMatch(/The GPU and the CPU wrote the same text\./)
  expect(report).toMatch(/GPU: And so,? my fellow Americans/)
  expect(report).toMatch(/CPU: And so,? my fellow Americans/)
  expect(report).toMatch(/graph nodes: \d{4,} on the GPU, 0 on the CPU; weights: \d+ MB in ROCm0/)
  expect(report).toMatch(/graph nodes: 0 on the GPU, \d{4,} on the CPU; weights: \d+ MB in CPU/)
  expect(report).toMatch(/11\.0 s of audio in \d+\.\d+ s, \d+\.\d times as fast as the speech/)
  expect(ended.stdout).toMatch(/^ {2}operation +error +ms/m)
  expect(ended.stdout).toMatch(/^ {2}mul_mat f16 of one column +\d\S* +\d+$/m)
})

describe('a GPU that goes wrong after its trial', () => {
  const wrong = ['MUL_MAT:0.5', 'NORM']
  it.each(wrong)('wrong=%s: shows the difference and fails', async (fault) => {
    const ended = await doctor(later(`wrong=${fault}`), '--json')
    expect(ended).toMatchObject({ code: 1, stderr: '' })
    const { active, reason, run } = JSON.parse(ended.stdout) as { active: string; reason: string; run: Run }
    expect({ active, reason }).toEqual({ active: 'hip', reason: 'OK' })
    expect(run.works).toBe(false)
    expect(run.cpu?.text).toMatch(/ask not what your country can do for you/)
    // Numbers can be so wrong that they are none.
    if (run.gpu === null) expect(run.problem?.message).toBeTruthy()
    else {
      expect(run.problem?.reason).toBe('NUMERIC_MISMATCH')
      expect(run.comparison).toMatchObject({ verdict: 'different' })
      expect(run.comparison?.differences.length).toBeGreaterThan(0)
    }
  })

  it.each(['crash=graph', 'segfault=write', 'abort=alloc', 'wrong=MUL_MAT:nan', 'hang=graph'])(
    '%s: doctor lives, says what happened, and fails',
    async (fault) => {
      const ended = await doctor(later(fault))
      expect(ended).toMatchObject({ code: 1 })
      expect(ended.stdout).toMatch(/^The GPU passed its trial, and failed at a transcription\nOK: /)
      expect(ended.stdout).toMatch(/^ {2}The GPU failed\.\n {2}[A-Z_]+: ./m)
      expect(ended.stdout).toMatch(/^ {2}CPU: And so,? my fellow Americans/m)
    },
  )

  it('fails rather than have a part computed by the CPU', async () => {
    const ended = await doctor(() => 'unsupported=GELU', '--json')
    expect(ended.code).toBe(1)
    expect(JSON.parse(ended.stdout)).toMatchObject({
      reason: 'OPS_ON_CPU',
      run: { works: false, problem: { code: 'ERR_GPU_NOT_USED' } },
    })
  })
})

describe('a GPU that cannot be used', () => {
  it('is not run: the report has the steps', async () => {
    const ended = await doctor((scene) => {
      scene.machine.fails('/dev/kfd', 'EACCES').user([1000])
      return ''
    })
    expect(ended).toMatchObject({ code: 1, stderr: '' })
    expect(ended.stdout).toMatch(/To use the GPU\n {2}1\. Join the group, .*sudo usermod -aG render alice/)
    expect(ended.stdout).toContain('Nothing was transcribed: the GPU cannot be used.')
  })

  it('is told in JSON by an empty run', async () => {
    const ended = await doctor(() => 'wrong=MUL_MAT', '--json')
    expect(ended).toMatchObject({ code: 1, stderr: '' })
    expect(JSON.parse(ended.stdout)).toMatchObject({
      reason: 'NUMERIC_MISMATCH',
      run: { works: false, problem: { reason: 'NUMERIC_MISMATCH' }, gpu: null, cpu: null, comparison: null },
      machine: { os: { id: 'debian' }, node: process.version, architecture: process.arch },
    })
  })
})
