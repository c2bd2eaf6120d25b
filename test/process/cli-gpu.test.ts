import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { healthyMachine, type MadeMachine } from '../fixtures/sysroot.ts'
import { buildDoubles, fakeGpu } from '../hip/build.mjs'
import { buildWav } from '../native/wav.ts'
import { folder, makeMaterials, materials } from './child.ts'
import { runCli } from './cli.ts'

/** The command line with a GPU: a made machine, and a backend that computes on the CPU in the place of HIP. */
let machine: MadeMachine
const hum = join(folder, 'hum.wav')
const longHum = join(folder, 'long hum.wav')
const silence = join(folder, 'silence.wav')

beforeAll(() => {
  buildDoubles()
  makeMaterials()
  machine = healthyMachine()
  const samples = Int16Array.from({ length: 48_000 }, (_, i) => 9000 * Math.sin(i / 7))
  const wav = (data: ArrayBuffer) => buildWav({ format: 1, bits: 16, data: new Uint8Array(data) })
  writeFileSync(hum, wav(samples.buffer))
  writeFileSync(silence, wav(new ArrayBuffer(96_000)))
  const minutes = new Int16Array(300 * 16_000)
  for (let i = 0; i < minutes.length; i += samples.length) minutes.set(samples, i)
  writeFileSync(longHum, wav(minutes.buffer))
})
afterAll(() => machine.dispose())

const environment = (fake: string, cache = 'verdicts') => ({
  WHISPER_HIP_LIBRARY: fakeGpu,
  WHISPER_HIP_SYSROOT: machine.folder,
  WHISPER_HIP_FAKE: fake,
  WHISPER_HIP_CACHE: join(folder, cache),
})

it('passes as a check when the GPU works', async () => {
  const ended = await runCli(['doctor', '--require-gpu'], { env: environment('') })
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(ended.stdout).toMatch(/^The GPU works: transcriptions run on .* \(gfx1100, 0000:03:00\.0\)\nOK: /)
  expect(ended.stdout).toContain('Trial of the GPU')
})

it('shows an earlier trial, and tries again when it is asked to', async () => {
  const env = environment('', 'again')
  const trial = async (...args: string[]) =>
    JSON.parse((await runCli(['doctor', '--json', ...args], { env })).stdout).probe.cached
  expect(await trial()).toBe(false)
  expect(await trial()).toBe(true)
  expect(await trial('--refresh')).toBe(false)
})

it('fails as a check when the GPU computes wrong numbers', async () => {
  const ended = await runCli(['doctor', '--require-gpu'], { env: environment('wrong=MUL_MAT', 'wrong') })
  expect(ended).toMatchObject({ code: 1, stderr: '' })
  expect(ended.stdout).toMatch(/^The GPU is not used: transcriptions run on the CPU\nNUMERIC_MISMATCH: /)
  expect(ended.stdout).toMatch(/FAILED/)
})

it('shows what a trial wrote before it died', async () => {
  const env = environment('say=rocBLAS error: no kernels; crash=MUL_MAT', 'crash')
  const ended = await runCli(['doctor'], { env })
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(ended.stdout).toMatch(/ended: SIGABRT/)
  expect(ended.stdout).toContain('rocBLAS error: no kernels')
})

it('is not kept waiting by a trial that hangs when it is interrupted', async () => {
  const ended = await runCli(['doctor'], {
    env: environment('hang=MUL_MAT', 'hang'),
    signal: 'SIGINT',
    after: 3,
  })
  expect(ended).toMatchObject({ code: 130, stdout: '', stderr: '' })
  expect(ended.seconds).toBeLessThan(5)
})

describe('doctor --run', () => {
  const args = ['doctor', '--run', '--model', materials.SMALL_MODEL, '--audio', hum]

  it('transcribes on both and compares', async () => {
    const ended = await runCli([...args, '--json'], { env: environment('') })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const { active, run } = JSON.parse(ended.stdout)
    expect(active).toBe('hip')
    expect(run).toMatchObject({
      works: true,
      problem: null,
      recording: hum,
      gpu: { text: 'This is number 0.', stats: { backend: 'hip', cpuNodes: 0 } },
      cpu: { text: 'This is number 0.', stats: { backend: 'cpu', gpuNodes: 0 } },
      comparison: { verdict: 'same', wordErrorRate: 0, differences: [] },
    })
    expect(run.comparison.probabilityDifference).toBeLessThan(0.01)
  })

  it('says of a recording that cannot be read that it is no fault of the GPU', async () => {
    const missing = join(folder, 'missing.wav')
    const ended = await runCli([...args.slice(0, 4), '--audio', missing], { env: environment('') })
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toContain(missing)
    expect(ended.stderr).toContain('ERR_AUDIO_DECODE')
  })

  it('does not take silence for a proof, nor for a fault', async () => {
    const ended = await runCli([...args.slice(0, 4), '--audio', silence], { env: environment('') })
    expect(ended).toMatchObject({ code: 1, stderr: '' })
    expect(ended.stdout).toMatch(/^The GPU passed its trial, and had nothing to transcribe\n/)
    expect(ended.stdout).toContain('- Name a recording of speech with --audio')
  })

  it('is cancelled by Ctrl-C, and leaves no process', async () => {
    const ended = await runCli(['doctor', '--run', '--model', materials.SLOW_MODEL, '--audio', longHum], {
      env: environment(''),
      signal: 'SIGINT',
      after: 4,
    })
    expect(ended).toMatchObject({ code: 130, stdout: '', stderr: '' })
    expect(ended.seconds).toBeLessThan(5)
  })
})

it('transcribes on it, and says so', async () => {
  const args = ['transcribe', hum, '--model', materials.SMALL_MODEL, '--backend', 'hip', '-l', 'en', '--json']
  const ended = await runCli(args, { env: environment('') })
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  const { text, stats } = JSON.parse(ended.stdout)
  expect(text).toBe('This is number 0.')
  expect(stats).toMatchObject({ backend: 'hip', cpuNodes: 0 })
  expect(stats.gpuNodes).toBeGreaterThan(0)
})

it('fails rather than compute a part of it on the CPU', async () => {
  const args = ['transcribe', hum, '--model', materials.SMALL_MODEL, '--backend', 'hip', '-l', 'en']
  const env = environment('unsupported=GELU', 'partial')
  const ended = await runCli(args, { env })
  expect(ended).toMatchObject({ code: 1 })
  expect(ended.stderr).toContain('ERR_GPU_NOT_USED')
  const allowed = await runCli([...args, '--allow-partial'], { env })
  expect(allowed).toMatchObject({ code: 0, stdout: 'This is number 0.\n' })
})
