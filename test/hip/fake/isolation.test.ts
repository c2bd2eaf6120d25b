import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { addon } from '../../../lib/backend/addon.ts'
import { packageRoot } from '../../../lib/backend/package-root.ts'
import { assertGpu, type LoadOptions, loadModel, type Model, WhisperHipError } from '../../../lib/index.ts'
import { buildSpeaking } from '../../fixtures/speaking-model.ts'
import { healthyMachine, type MadeMachine } from '../../fixtures/sysroot.ts'

/** Isolated models on the fake GPU, which dies as a real one does. Needs dist/ (`npm run build:lib`). */
const folder = mkdtempSync(join(tmpdir(), 'whisper hip isolation '))
const small = join(folder, 'small.bin')
const script = join(folder, 'script')
const greedy = { language: 'en', beamSize: 1, temperature: 0 } as const
const hum = (seconds: number) =>
  Float32Array.from({ length: 16_000 * seconds }, (_, i) => 0.3 * Math.sin(i / 7))

let machine: MadeMachine
const models: Model[] = []

beforeAll(() => {
  machine = healthyMachine()
  const says = [{ text: ' Hello there.', start: 0, end: 3 }]
  writeFileSync(small, buildSpeaking({ script: says, audioContext: 64, layers: 1 }))
  vi.stubEnv('WHISPER_HIP_SYSROOT', machine.folder)
  vi.stubEnv('WHISPER_HIP_LIBRARY', join(packageRoot(), 'build/test-hip/libggml-fake-gpu.so'))
  vi.stubEnv('WHISPER_HIP_FAKE', `@${script}`)
})
beforeEach(() => {
  vi.stubEnv('WHISPER_HIP_CACHE', mkdtempSync(join(folder, 'cache ')))
  writeFileSync(script, '')
})
afterEach(async () => {
  await Promise.all(models.splice(0).map((model) => model.dispose()))
})
afterAll(() => {
  vi.unstubAllEnvs()
  machine.dispose()
  rmSync(folder, { recursive: true, force: true })
})

async function load(options: LoadOptions = {}): Promise<Model> {
  const model = await loadModel(small, { backend: 'hip', isolation: 'process', ...options })
  models.push(model)
  return model
}

async function rejection(promise: PromiseLike<unknown>): Promise<WhisperHipError> {
  try {
    await promise
  } catch (error) {
    expect(error).toBeInstanceOf(WhisperHipError)
    return error as WhisperHipError
  }
  expect.unreachable('it resolved')
}

/** The rest of the script holds in the process that has loaded the model, after the trial of the GPU. */
function strike(fault: string): void {
  writeFileSync(script, fault)
}

describe('an isolated model on the GPU', () => {
  it('proves where it ran, and this process has loaded nothing of HIP', async () => {
    const model = await load()
    expect(model.backend).toMatchObject({ active: 'hip', device: 'ROCm0', reason: 'OK' })
    const result = await model.transcribe(hum(3), greedy)
    assertGpu(result)
    expect(result.text).toBe('Hello there.')
    expect(addon().native.hipState().path).toBeNull()
    expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain('fake-gpu')
  })

  it.each([
    ['fault=graph', 'SIGABRT', 'GPU_FAULT', /Memory access fault by GPU node-1/],
    ['segfault=graph', 'SIGSEGV', undefined, /SIGSEGV \(signal 11\)/],
    ['kill=graph', 'SIGKILL', undefined, /SIGKILL \(signal 9\)/],
    [
      'crash=graph; say=rocBLAS error: Cannot read TensileLibrary.dat',
      'SIGABRT',
      'ROCBLAS_KERNELS_MISSING',
      /Tensile/,
    ],
    ['exit=graph', 'exit code 3', undefined, /exit code 3/],
  ])('%s ends the job, not this process, and the next job works', async (fault, how, reason, words) => {
    const model = await load()
    strike(fault)
    const error = await rejection(model.transcribe(hum(3), greedy))
    expect(error).toMatchObject({ code: 'ERR_INTERNAL', message: expect.stringContaining(how) })
    expect(error.message).toMatch(words)
    expect(error.reason).toBe(reason)
    strike('')
    assertGpu(await model.transcribe(hum(3), greedy))
  })

  it('starts a new process after ggml gave up on the GPU, though the old one lives', async () => {
    const model = await load()
    strike('abort=graph')
    const error = await rejection(model.transcribe(hum(3), greedy))
    expect(error.reason).toBe('CONTEXT_POISONED')
    expect(error.advice.join()).toMatch(/new process/)
    expect(error.advice.join()).not.toMatch(/isolation/)
    strike('')
    assertGpu(await model.transcribe(hum(3), greedy))
  })

  it('does not go on on the CPU when the GPU is gone', async () => {
    const model = await load({ backend: 'auto' })
    expect(model.backend.active).toBe('hip')
    strike('segfault=graph')
    await rejection(model.transcribe(hum(3), greedy))
    strike('devices=0')
    const warn = vi.spyOn(process, 'emitWarning')
    const error = await rejection(model.transcribe(hum(3), greedy))
    expect(error).toMatchObject({ code: 'ERR_BACKEND_UNAVAILABLE', reason: 'HIP_INIT_FAILED' })
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })

  it('dies while it loads', async () => {
    writeFileSync(script, `after=${join(folder, 'probed')}; segfault=write`)
    const error = await rejection(load())
    expect(error).toMatchObject({
      code: 'ERR_INTERNAL',
      message: expect.stringMatching(/SIGSEGV.*while it loaded the model/),
    })
  })

  it('may hang: a cancelled job is given up at once', async () => {
    const model = await load()
    strike('hang=graph')
    const job = model.transcribe(hum(3), { ...greedy, signal: AbortSignal.timeout(500) })
    await expect(job).rejects.toMatchObject({ name: 'TimeoutError' })
    const begun = performance.now()
    await model.dispose()
    expect(performance.now() - begun).toBeLessThan(8000)
  })

  it('leaves no processes', async () => {
    const model = await load()
    await model.transcribe(hum(3), greedy)
    await model.dispose()
    const children = readdirSync('/proc/self/task').flatMap(
      (id) => readFileSync(`/proc/self/task/${id}/children`, 'utf8').match(/\d+/g) ?? [],
    )
    expect(children).toEqual([])
  })

  it('has the GPU that it asks for, beside another and beside one of this process', async () => {
    machine.gpu({ pciId: '0000:83:00.0', node: 2, minor: 129 })
    writeFileSync(script, 'devices=2; pci=0000:03:00.0,0000:83:00.0')
    const [first, second] = await Promise.all([load({ device: 0 }), load({ device: 1 })])
    expect(first?.backend.message).toContain('0000:03:00.0')
    expect(second?.backend.message).toContain('0000:83:00.0')
    const here = await load({ isolation: 'none', device: 0 })
    const third = await load({ device: 1 })
    expect(third.backend.message).toContain('0000:83:00.0')
    for (const model of [first, second, here, third]) {
      assertGpu(await (model as Model).transcribe(hum(3), greedy))
    }
  })
})
