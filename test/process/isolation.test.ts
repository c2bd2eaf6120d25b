import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { nodeProgram } from '../../lib/host/node-program.ts'
import {
  type AudioInput,
  type LoadOptions,
  loadModel,
  type Model,
  type Segment,
  setLogger,
  type TranscribeOptions,
  transcribe,
  WhisperHipError,
} from '../../lib/index.ts'
import { ModelProcess } from '../../lib/isolation/model-process.ts'
import { buildSpeaking } from '../fixtures/speaking-model.ts'
import { buildWav } from '../native/wav.ts'
import { folder, makeMaterials, materials, runChild } from './child.ts'

/** Needs dist/ (`npm run build:lib`): the process of a model runs the program there. */
beforeAll(makeMaterials)

const greedy = { language: 'en', beamSize: 1, temperature: 0 } satisfies TranscribeOptions
const hum = (seconds: number) =>
  Float32Array.from({ length: 16_000 * seconds }, (_, i) => 0.3 * Math.sin(i / 7))

/** Process ids of the models of this process. */
function modelProcesses(): number[] {
  const threads = readdirSync('/proc/self/task')
  const ids = threads.flatMap(
    (id) => readFileSync(`/proc/self/task/${id}/children`, 'utf8').match(/\d+/g) ?? [],
  )
  return ids.filter(isModelProcess).map(Number)
}

function isModelProcess(id: string | number): boolean {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('isolated-child')
  } catch {
    return false // it has ended
  }
}

function onlyProcess(): number {
  const [id, ...others] = modelProcesses()
  expect(others).toEqual([])
  return id as number
}

async function expectGone(id: number): Promise<void> {
  for (let i = 0; i < 100 && isModelProcess(id); i++) await new Promise((resolve) => setTimeout(resolve, 50))
  expect(isModelProcess(id)).toBe(false)
}

const models: Model[] = []
afterEach(async () => {
  setLogger(null)
  await Promise.all(models.splice(0).map((model) => model.dispose()))
  expect(modelProcesses()).toEqual([])
})

async function load(input: string | Uint8Array = materials.SMALL_MODEL, options: LoadOptions = {}) {
  const model = await loadModel(input, { backend: 'cpu', isolation: 'process', ...options })
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

describe('an isolated model', () => {
  it('is and does what a model of this process is and does', async () => {
    const here = await loadModel(materials.SMALL_MODEL, { backend: 'cpu' })
    models.push(here)
    const progress: number[] = []
    const isolated = await load(undefined, { onProgress: (step) => progress.push(step.progress) })
    expect(isolated.info).toEqual(here.info)
    expect(isolated.backend).toEqual(here.backend)
    expect(progress.at(-1)).toBe(1)

    const seen: Segment[] = []
    const steps: number[] = []
    const job = isolated.transcribe(hum(60), { ...greedy, onProgress: (step) => steps.push(step) })
    for await (const segment of job) seen.push(segment)
    const { stats, ...result } = await job
    const expected = await here.transcribe(hum(60), greedy)
    expect(result).toEqual({ ...expected, stats: undefined })
    expect(seen).toEqual(expected.segments)
    expect(stats).toMatchObject({ backend: 'cpu', gpuNodes: 0, cpuNodes: expected.stats.cpuNodes })
    expect(steps.length).toBeGreaterThan(1)
    expect(steps.at(-1)).toBe(1)
  })

  it('streams segments while it works', async () => {
    const model = await load(materials.SLOW_MODEL)
    const job = model.transcribe(hum(90), greedy)
    let settled = false
    const watch = () => {
      settled = true
    }
    job.then(watch, watch)
    for await (const { id } of job) {
      expect(id).toBe(0)
      expect(settled).toBe(false)
      break
    }
  })

  it('takes audio of every kind', async () => {
    const here = await loadModel(materials.SMALL_MODEL, { backend: 'cpu' })
    models.push(here)
    const isolated = await load()
    const samples = hum(5)
    const wav = buildWav({
      format: 3,
      bits: 32,
      data: new Uint8Array(samples.buffer),
    })
    const path = join(folder, 'sound.wav')
    writeFileSync(path, wav)
    const kinds: (() => AudioInput)[] = [
      () => path,
      () => wav,
      () => new Blob([new Uint8Array(wav)]),
      () => Readable.from([wav.subarray(0, 1000), wav.subarray(1000)]),
      () => samples,
      () => Readable.from([samples.subarray(0, 999), samples.subarray(999)]),
      () => ({ samples: Int16Array.from(samples, (x) => x * 32_767), sampleRate: 8000, channels: 2 }),
    ]
    for (const kind of kinds) {
      const { stats, ...result } = await isolated.transcribe(kind(), greedy)
      expect(result).toEqual({ ...(await here.transcribe(kind(), greedy)), stats: undefined })
      expect(stats.audioSeconds).toBeGreaterThan(0)
    }
    const nothing = await rejection(isolated.transcribe(Float32Array.of(0, Number.NaN), greedy))
    expect(nothing).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining('sample 1'),
    })
  })

  it('detects languages', async () => {
    const multilingual = buildSpeaking({
      script: [{ text: ' Hallo.', start: 0, end: 2 }],
      audioContext: 64,
      layers: 1,
      multilingual: true,
      languageId: 2,
    })
    const model = await load(multilingual)
    expect(await model.detectLanguage(hum(1))).toMatchObject({ language: 'de' })
    const short = await rejection(model.detectLanguage(hum(0)))
    expect(short.code).toBe('ERR_INVALID_ARGUMENT')
  })

  it('serves one call', async () => {
    const options = { model: materials.SMALL_MODEL, backend: 'cpu', isolation: 'process', ...greedy } as const
    expect((await transcribe(hum(5), options)).text).toContain('This is number 0.')
    expect(modelProcesses()).toEqual([])
  })

  it('sends its log to whoever listens', async () => {
    const lines: string[] = []
    setLogger(({ level, message }) => lines.push(`${level}: ${message}`))
    const model = await load()
    expect(lines).toContain('info: whisper_model_load: loading model')
    setLogger(null)
    const count = lines.length
    process.kill(onlyProcess(), 'SIGKILL')
    await model.transcribe(hum(5), greedy)
    expect(lines.length).toBe(count)
  })

  it('keeps the event loop free while audio crosses', async () => {
    const model = await load()
    const audio = hum(60)
    const gaps: number[] = []
    // The best of five: what a busy machine adds is not always there.
    for (let round = 0; round < 5 && !gaps.some((gap) => gap < 20); round++) {
      let longest = 0
      let last = performance.now()
      const timer = setInterval(() => {
        longest = Math.max(longest, performance.now() - last)
        last = performance.now()
      }, 1)
      await model.transcribe(audio, { ...greedy, duration: 1 })
      clearInterval(timer)
      gaps.push(longest)
    }
    expect(Math.min(...gaps)).toBeLessThan(20)
  })
})

describe('errors cross the border', () => {
  const damaged = () => {
    const bytes = new Uint8Array(readFileSync(materials.SMALL_MODEL))
    return bytes.subarray(0, bytes.length - 1000)
  }

  it.each([
    ['a missing model', () => '/nowhere/model.bin'],
    ['a damaged file', () => damaged()],
    ['something else', () => Uint8Array.from({ length: 5000 }, (_, i) => i)],
    ['an empty path', () => ''],
  ])('%s is the same error', async (_, input) => {
    const { code, message, advice, cause } = await rejection(loadModel(input(), { backend: 'cpu' }))
    const error = await rejection(load(input()))
    expect({ code: error.code, message: error.message, advice: error.advice }).toEqual({
      code,
      message,
      advice,
    })
    expect((error.cause as NodeJS.ErrnoException | undefined)?.code).toBe(
      (cause as NodeJS.ErrnoException | undefined)?.code,
    )
    expect(error.stack).toContain('isolation.test.ts')
  })

  it('so do those of audio and options', async () => {
    const here = await loadModel(materials.SMALL_MODEL, { backend: 'cpu' })
    models.push(here)
    const isolated = await load()
    const broken = Uint8Array.from(Buffer.from(`fLaC${'x'.repeat(500)}`))
    const cases: [AudioInput, TranscribeOptions][] = [
      [broken, greedy],
      [hum(1), { ...greedy, grammar: 'root ::= nothing' }],
      [hum(1), { beamSize: 0 }],
    ]
    for (const [audio, options] of cases) {
      const { code, message } = await rejection(here.transcribe(audio, options))
      expect(await rejection(isolated.transcribe(audio, options))).toMatchObject({ code, message })
    }
    expect((await isolated.transcribe(hum(5), greedy)).segments.length).toBeGreaterThan(0)
  })

  it('a GPU that is required and missing is known before anything is fetched', async () => {
    const error = await rejection(load('base', { backend: 'hip', offline: true }))
    expect(error).toMatchObject({ code: 'ERR_BACKEND_UNAVAILABLE' })
    expect(error.reason).toBeDefined()
    expect(error.advice.length).toBeGreaterThan(0)
  })

  it('refuses other words for isolation', async () => {
    const error = await rejection(loadModel(materials.SMALL_MODEL, { isolation: 'proces' as never }))
    expect(error.message).toBe(
      'Expected "none" or "process" for isolation but received "proces" of type string; did you mean process?',
    )
  })
})

describe('the process of a model dies', () => {
  it.each(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGKILL'] as const)(
    'of %s while it transcribes: the job rejects, the next one works',
    async (signal) => {
      const model = await load(materials.SLOW_MODEL)
      const first = onlyProcess()
      const segments: Segment[] = []
      const job = model.transcribe(hum(90), {
        ...greedy,
        onSegment: (segment) => {
          segments.push(segment)
          process.kill(first, signal)
        },
      })
      const error = await rejection(job)
      expect(error).toMatchObject({ name: 'WhisperHipError', code: 'ERR_INTERNAL' })
      expect(error.message).toContain(`The process of the model slow.bin was ended by ${signal}`)
      expect(error.message).toContain('while it transcribed')
      expect(error.advice.length).toBeGreaterThan(0)
      expect(error.stack).toContain('isolation.test.ts')
      const count = segments.length
      expect(count).toBeGreaterThan(0)
      expect(modelProcesses()).toEqual([])

      const again = await model.transcribe(hum(5), { ...greedy, maxTokens: 8 })
      expect(again.segments.length).toBeGreaterThan(0)
      expect(onlyProcess()).not.toBe(first)
      // The job that failed was not started again.
      expect(segments.length).toBe(count)
    },
  )

  it('with several jobs: each rejects with an error of its own, and they share one new process', async () => {
    const model = await load(materials.SLOW_MODEL, { concurrency: 3 })
    const jobs = [1, 2, 3].map(() => rejection(model.transcribe(hum(90), greedy)))
    await new Promise((resolve) => setTimeout(resolve, 500))
    process.kill(onlyProcess(), 'SIGSEGV')
    const errors = await Promise.all(jobs)
    expect(new Set(errors).size).toBe(3)
    for (const { message } of errors) expect(message).toContain('SIGSEGV')
    await Promise.all([1, 2, 3].map(() => model.transcribe(hum(1), { ...greedy, maxTokens: 4 })))
    onlyProcess()
  })

  it('while it loads', async () => {
    let killed = false
    const error = await rejection(
      load(materials.SLOW_MODEL, {
        onProgress: () => {
          if (!killed) process.kill(onlyProcess(), 'SIGSEGV')
          killed = true
        },
      }),
    )
    expect(error).toMatchObject({
      code: 'ERR_INTERNAL',
      message: expect.stringMatching(/slow\.bin was ended by SIGSEGV.*while it loaded the model/),
    })
  })

  it('while it is idle: the log says so, the next job does not notice', async () => {
    const lines: string[] = []
    const model = await load()
    setLogger(({ level, message }) => lines.push(`${level}: ${message}`))
    const id = onlyProcess()
    process.kill(id, 'SIGSEGV')
    await expectGone(id)
    expect((await model.transcribe(hum(5), greedy)).text).toContain('This is number 0.')
    expect(lines).toContainEqual(
      expect.stringMatching(/^warn: The process of the model small\.bin was ended by SIGSEGV.*idle/),
    )
    expect(lines).toContainEqual(expect.stringMatching(/^info: The model small\.bin is loaded again/))
  })

  it('for want of memory of V8: its last words say why', async () => {
    vi.stubEnv('NODE_OPTIONS', '--max-old-space-size=4 --max-semi-space-size=1')
    try {
      const error = await rejection(load())
      expect(error.code).toBe('ERR_OUT_OF_MEMORY')
      expect(error.message).toMatch(/SIGABRT|SIGTRAP|exit code 134/)
      expect(error.message).toMatch(/while it loaded the model: .*(out of memory|OOM)/)
      expect(error.message.length).toBeLessThan(4096 + 500)
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it('one of two: the other goes on', async () => {
    const first = await load()
    const id = onlyProcess()
    const second = await load()
    const dying = first.transcribe(hum(300), greedy)
    const living = second.transcribe(hum(60), greedy)
    dying.catch(() => {})
    for await (const _ of dying) {
      process.kill(id, 'SIGKILL')
      break
    }
    expect((await living).segments.length).toBe(16)
  })
})

describe('a new process', () => {
  it('loads bytes again as they were', async () => {
    const bytes = new Uint8Array(readFileSync(materials.SMALL_MODEL))
    const model = await load(bytes)
    expect(model.info.name).toBe('<bytes>')
    bytes.fill(0)
    process.kill(onlyProcess(), 'SIGKILL')
    expect((await model.transcribe(hum(5), greedy)).text).toContain('This is number 0.')
  })

  it('finds the model wherever the application is now', async () => {
    const before = process.cwd()
    try {
      process.chdir(folder)
      const model = await load('./small.bin')
      process.kill(onlyProcess(), 'SIGKILL')
      process.chdir('/')
      expect((await model.transcribe(hum(5), greedy)).segments.length).toBeGreaterThan(0)
    } finally {
      process.chdir(before)
    }
  })

  it('is an error when the file is gone or another one, and all is well when it is back', async () => {
    const path = join(folder, 'changing.bin')
    copyFileSync(materials.SMALL_MODEL, path)
    const model = await load(path)
    const run = () => model.transcribe(hum(5), greedy)
    process.kill(onlyProcess(), 'SIGKILL')
    rmSync(path)
    expect(await rejection(run())).toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
    const other = { script: [{ text: ' Other.', start: 0, end: 2 }], audioContext: 64, layers: 1 }
    writeFileSync(path, buildSpeaking({ ...other, state: 128, heads: 2 }))
    expect(await rejection(run())).toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      message: expect.stringContaining('replaced'),
    })
    copyFileSync(materials.SMALL_MODEL, path)
    expect((await run()).text).toContain('This is number 0.')
  })

  it('that cannot be started is an error of the load and of the job', async () => {
    const node = process.execPath
    const model = await load()
    process.kill(onlyProcess(), 'SIGKILL')
    try {
      process.execPath = join(folder, 'no node')
      const expected = {
        code: 'ERR_NODE_MISSING',
        reason: 'HOST_NOT_NODE',
        message: expect.stringMatching(/could not be started: spawn .*no node ENOENT/),
        advice: expect.arrayContaining([
          expect.stringContaining('export WHISPER_HIP_NODE=$(command -v node)'),
        ]),
      }
      expect(await rejection(load())).toMatchObject(expected)
      await expect.poll(() => modelProcesses()).toEqual([])
      expect(await rejection(model.transcribe(hum(5), greedy))).toMatchObject(expected)
    } finally {
      process.execPath = node
    }
    expect((await model.transcribe(hum(5), greedy)).segments.length).toBeGreaterThan(0)
  })

  it('is not started in the debugger of the application, nor with its own modules', async () => {
    const marker = join(folder, 'preloaded.cjs')
    writeFileSync(marker, 'throw new Error("it was loaded")')
    vi.stubEnv('NODE_OPTIONS', `--inspect-brk=0 --require "${marker}" --max-old-space-size=512`)
    try {
      const model = await load()
      expect((await model.transcribe(hum(5), greedy)).segments.length).toBeGreaterThan(0)
    } finally {
      vi.unstubAllEnvs()
    }
  })
})

describe('cancelling', () => {
  it('ends a job at once and the process stays', async () => {
    const model = await load(materials.SLOW_MODEL, { concurrency: 1 })
    const id = onlyProcess()
    const reason = new Error('enough')
    const controller = new AbortController()
    const job = model.transcribe(hum(90), { ...greedy, signal: controller.signal })
    const queued = model.transcribe(hum(1), { ...greedy, maxTokens: 4 })
    setTimeout(() => controller.abort(reason), 300)
    await expect(job).rejects.toBe(reason)
    const begun = performance.now()
    await queued
    expect(performance.now() - begun).toBeLessThan(10_000)
    expect(onlyProcess()).toBe(id)
  })

  it('ends a job whose bytes are on their way', async () => {
    const model = await load()
    const job = model.transcribe(hum(600), greedy)
    setTimeout(() => job.cancel(), 20)
    await expect(job).rejects.toMatchObject({ name: 'AbortError' })
    expect((await model.transcribe(hum(5), greedy)).text).toContain('This is number 0.')
  })

  it('ends a load with its process', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const abort = () => controller.abort(reason)
    await expect(load(materials.SLOW_MODEL, { signal: controller.signal, onProgress: abort })).rejects.toBe(
      reason,
    )
    expect(modelProcesses()).toEqual([])
    await expect(load(materials.SMALL_MODEL, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const thrown = new Error('mine')
    const fail = () => {
      throw thrown
    }
    await expect(load(materials.SLOW_MODEL, { onProgress: fail })).rejects.toBe(thrown)
    expect(modelProcesses()).toEqual([])
  })

  it('of a job that hangs ends the process', async () => {
    const hanging = new ModelProcess('base', nodeProgram(), undefined, { answer: 0.3, end: 0.3 })
    const options = {
      backend: 'cpu',
      allowPartial: true,
      concurrency: 1,
      flashAttention: true,
      weightType: 'auto',
    } as const
    await hanging.run({ type: 'load', model: materials.SMALL_MODEL, name: 'base', options }).result
    process.kill(onlyProcess(), 'SIGSTOP')
    const job = hanging.run({ type: 'decide', backend: 'cpu', device: undefined })
    await new Promise((resolve) => setTimeout(resolve, 50))
    job.cancel()
    const error = await rejection(job.result)
    expect(error.message).toContain('SIGKILL')
    expect(error.message).toContain('a job that was cancelled did not end within 0.3 seconds')
    expect(hanging.running).toBe(false)
    await hanging.end()
  })
})

describe('disposing', () => {
  it('ends jobs and the process, and does so once', async () => {
    const model = await load(materials.SLOW_MODEL)
    const id = onlyProcess()
    const job = rejection(model.transcribe(hum(90), greedy))
    await new Promise((resolve) => setTimeout(resolve, 200))
    const disposed = model.dispose()
    expect(model.dispose()).toBe(disposed)
    expect((await job).code).toBe('ERR_DISPOSED')
    await disposed
    expect(isModelProcess(id)).toBe(false)
    expect((await rejection(model.transcribe(hum(1)))).code).toBe('ERR_DISPOSED')
    expect((await rejection(model.detectLanguage(hum(1)))).code).toBe('ERR_DISPOSED')
  })

  it.each(['SIGKILL', 'SIGSEGV'] as const)('does not mind that the process died of %s', async (signal) => {
    const idle = await load()
    process.kill(onlyProcess(), signal)
    await idle.dispose()
    const dying = await load()
    const id = onlyProcess()
    const disposed = dying.dispose()
    process.kill(id, signal)
    await disposed
  })

  it('ends a process that hangs', async () => {
    const hanging = new ModelProcess('base', nodeProgram(), undefined, { answer: 0.3, end: 0.3 })
    await hanging.run({ type: 'decide', backend: 'cpu', device: undefined }).result
    process.kill(onlyProcess(), 'SIGSTOP')
    const begun = performance.now()
    await hanging.end()
    expect(performance.now() - begun).toBeLessThan(3000)
  })

  it('while a new process loads ends that too', async () => {
    const model = await load(materials.SLOW_MODEL)
    process.kill(onlyProcess(), 'SIGKILL')
    await vi.waitFor(() => expect(modelProcesses()).toEqual([]))
    const job = rejection(model.transcribe(hum(1), greedy))
    await vi.waitFor(() => onlyProcess(), { timeout: 5000 })
    await model.dispose()
    expect((await job).code).toBe('ERR_DISPOSED')
    expect(modelProcesses()).toEqual([])
  })

  it('20 times, with deaths in between, leaves nothing behind', async () => {
    const counts = () => ({
      files: readdirSync('/proc/self/fd').length,
      handles: process.getActiveResourcesInfo().length,
    })
    const bytes = new Uint8Array(readFileSync(materials.SMALL_MODEL))
    const round = async (i: number) => {
      const model = await load(i % 2 ? bytes : undefined)
      models.pop()
      await model.transcribe(hum(1), greedy)
      if (i % 3 === 0) process.kill(onlyProcess(), 'SIGKILL')
      if (i % 3 === 0) await model.transcribe(hum(1), greedy)
      await model.dispose()
    }
    await round(0)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const before = counts()
    for (let i = 0; i < 20; i++) await round(i)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const after = counts()
    expect(after.files).toBeLessThanOrEqual(before.files)
    expect(after.handles).toBeLessThanOrEqual(before.handles)
  })
})

describe('the application', () => {
  const quiet = { signal: null, stderr: '' }

  it('ends when its isolated model is idle, and the process of the model with it', async () => {
    const { stdout, ...ended } = await runChild('isolated.cjs', ['idle'])
    expect(ended).toMatchObject({ ...quiet, code: 0 })
    await expectGone(Number(stdout))
  })

  it('waits for a running job', async () => {
    expect(await runChild('isolated.cjs', ['busy'])).toMatchObject({ ...quiet, code: 0, stdout: 'done 16\n' })
  })

  it.each([
    ['exit', 7],
    ['throw', 1],
  ])('takes the process with it (%s)', async (what, code) => {
    const { stdout, ...ended } = await runChild('isolated.cjs', [what])
    expect(ended).toMatchObject({ code, signal: null })
    expect(Number(stdout)).toBeGreaterThan(0)
    await expectGone(Number(stdout))
  })

  it.each(['waiting', 'loading'])('takes the process with it when it is killed (%s)', async (what) => {
    const program = join(import.meta.dirname, 'children/isolated.cjs')
    const child = spawn(process.execPath, [program, what], {
      env: { ...process.env, ...materials },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [data] = await once(child.stdout, 'data')
    const id = Number(String(data))
    expect(isModelProcess(id)).toBe(true)
    child.kill('SIGKILL')
    await once(child, 'close')
    await expectGone(id)
  })

  it('decides itself what an interrupt of the terminal means', async () => {
    const program = join(import.meta.dirname, 'children/isolated.cjs')
    const child = spawn(process.execPath, [program, 'waiting'], {
      env: { ...process.env, ...materials },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true, // a process group of its own, as a terminal gives it
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (text.includes('now')) process.kill(-(child.pid as number), 'SIGINT')
    })
    const [code] = await once(child, 'close')
    expect(code).toBe(0)
    expect(output).toMatch(/^\d+\nnow\nasked\ndone \d+\n$/)
  })

  it('is warned once of a CPU, not by each process', async () => {
    const { stderr, code } = await runChild('isolated.cjs', ['warned'])
    expect(code).toBe(0)
    expect(stderr.match(/WHISPER_HIP_CPU/g)).toHaveLength(1)
  })

  it('may be a worker, which leaves no process behind', async () => {
    const ended = await runChild('isolated.cjs', ['worker'])
    expect(ended).toMatchObject({ ...quiet, code: 0 })
    expect(ended.stdout).toBe('This is number 0. This is number 1.\n0\n')
    const { stdout, ...terminated } = await runChild('isolated.cjs', ['terminated'])
    expect(terminated).toMatchObject({ ...quiet, code: 0 })
    await expectGone(Number(stdout))
  })

  it('can forget a model', async () => {
    const ended = await runChild('isolated.cjs', ['forgotten'], { nodeArgs: ['--expose-gc'] })
    expect(ended).toMatchObject({ ...quiet, code: 0, stdout: '0\n' })
  })

  it('may have the package anywhere', async () => {
    const copy = join(folder, 'node_modules of mine', 'whisper-hip')
    const root = packageRoot()
    for (const part of ['dist', 'package.json', 'vendor/silero-vad'])
      cpSync(join(root, part), join(copy, part), { recursive: true })
    cpSync(dirname(materials.ADDON), join(copy, 'build/Release'), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const env = { ENTRY: join(copy, 'dist/index.js') }
    const ended = await runChild('isolated.cjs', ['busy'], { env })
    expect(ended).toMatchObject({ ...quiet, code: 0, stdout: 'done 16\n' })
    rmSync(join(copy, 'dist/isolated-child.js'))
    const missing = await runChild('isolated.cjs', ['busy'], { env })
    expect(missing.stderr).toContain('The program of isolated models is missing')
  })
})
