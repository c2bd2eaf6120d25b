import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { buildGgml } from '../fixtures/ggml-builder.ts'

/** Needs dist/ (`npm run build:lib`): the children are ordinary programs that use the library as an application does. */
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'whisper hip process '))
  writeFileSync(join(folder, 'tiny.bin'), buildGgml({ multilingual: true }))
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  seconds: number
}

/** Runs a program with `whisper` (the library), `model` (path of a made model) and `hum` (10 minutes of sound) in scope. */
async function runChild(
  body: string,
  act?: (child: { kill(signal: NodeJS.Signals): void }) => void,
): Promise<Ended> {
  const program = join(folder, `child-${Math.random().toString(36).slice(2)}.cjs`)
  writeFileSync(
    program,
    `const whisper = require(${JSON.stringify(packageRoot())})
     const model = ${JSON.stringify(join(folder, 'tiny.bin'))}
     const hum = Float32Array.from({ length: 600 * 16000 }, (_, i) => 0.1 * Math.sin(i / 20))
     const load = () => whisper.loadModel(model, { backend: 'cpu' })
     const options = { language: 'en' }
     ;(async () => { ${body} })()`,
  )
  const child = spawn(process.execPath, [program], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended: Ended = { code: null, signal: null, stdout: '', stderr: '', seconds: 0 }
  let acted: number | undefined
  child.stdout.on('data', (data) => {
    ended.stdout += data
    if (acted === undefined && ended.stdout.includes('now\n')) {
      acted = performance.now()
      act?.(child)
    }
  })
  child.stderr.on('data', (data) => {
    ended.stderr += data
  })
  await new Promise((resolve) => {
    child.on('close', (code, signal) => {
      ended.code = code
      ended.signal = signal
      resolve(undefined)
    })
  })
  ended.seconds = acted === undefined ? 0 : (performance.now() - acted) / 1000
  return ended
}

/** What is going on when the process ends. */
const phases: Record<string, string> = {
  'before anything is loaded': '',
  'while a model loads': 'load().catch(() => {})',
  'with an idle model': 'const m = await load()',
  'while the spectrogram is computed': 'const m = await load(); m.transcribe(hum, options).catch(() => {})',
  'while text is decoded':
    'const m = await load(); m.transcribe(hum, options).catch(() => {}); await new Promise((r) => setTimeout(r, 1500))',
  'after dispose': 'const m = await load(); await m.dispose()',
}

describe.each(Object.entries(phases))('%s', (_, body) => {
  it('process.exit() ends with its code', async () => {
    const ended = await runChild(`${body}; console.log('now'); process.exit(7)`)
    expect(ended).toMatchObject({ code: 7, signal: null, stderr: '' })
    expect(ended.seconds).toBeLessThan(5)
  })

  it('an uncaught exception ends with code 1', async () => {
    const ended = await runChild(
      `${body}; console.log('now'); setImmediate(() => { throw new Error('mine') })`,
    )
    expect(ended).toMatchObject({ code: 1, signal: null })
    expect(ended.stderr).toContain('Error: mine')
    expect(ended.stderr).not.toMatch(/ggml|whisper_/i)
    expect(ended.seconds).toBeLessThan(5)
  })
})

describe('signals', () => {
  const busy = `${phases['while text is decoded']}; console.log('now'); await new Promise((r) => setTimeout(r, 60_000))`

  it.each(['SIGINT', 'SIGTERM'] as const)('%s ends a busy process as it ends any other', async (signal) => {
    const ended = await runChild(busy, (child) => child.kill(signal))
    expect(ended).toMatchObject({ code: null, signal, stderr: '' })
    expect(ended.seconds).toBeLessThan(5)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('%s runs the handler of a busy process', async (signal) => {
    const ended = await runChild(`process.on('${signal}', () => process.exit(42)); ${busy}`, (child) =>
      child.kill(signal),
    )
    expect(ended).toMatchObject({ code: 42, signal: null, stderr: '' })
    expect(ended.seconds).toBeLessThan(5)
  })
})

describe('a natural end', () => {
  it('waits for a running transcription, and not for a model that was not disposed', async () => {
    const ended = await runChild(
      "const m = await load(); m.transcribe(hum.subarray(0, 16000), { ...options, maxTokens: 4 }).then(() => console.log('done'))",
    )
    expect(ended).toMatchObject({ code: 0, signal: null, stdout: 'done\n', stderr: '' })
  })
})

describe('worker threads', () => {
  const worker = (code: string) =>
    `const { Worker } = require('node:worker_threads')
     const source = \`const whisper = require(${JSON.stringify(packageRoot())})
       const { parentPort, workerData: { model } } = require('node:worker_threads')
       const hum = Float32Array.from({ length: 60 * 16000 }, (_, i) => 0.1 * Math.sin(i / 20))
       ;(async () => { ${code} })()\`
     const start = () => new Worker(source, { eval: true, workerData: { model } })`

  it('each have models and logs of their own', async () => {
    const code = `const lines = []
       whisper.setLogger(({ message }) => lines.push(message))
       const m = await whisper.loadModel(model, { backend: 'cpu' })
       const { duration } = await m.transcribe(hum.subarray(0, 16000), { language: 'en', maxTokens: 4 })
       await m.dispose()
       parentPort.postMessage({ duration, loads: lines.filter((line) => line.includes('loading model')).length })`
    const ended = await runChild(
      `${worker(code)}
       const once = (w) => new Promise((resolve, reject) => { w.on('message', resolve); w.on('error', reject) })
       console.log(JSON.stringify(await Promise.all([start(), start(), start()].map(once))))`,
    )
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(JSON.parse(ended.stdout)).toEqual(Array(3).fill({ duration: 1, loads: 1 }))
  })

  it.each([
    ['while it loads', "parentPort.postMessage('now'); await whisper.loadModel(model, { backend: 'cpu' })"],
    [
      'while it transcribes',
      "const m = await whisper.loadModel(model, { backend: 'cpu' }); m.transcribe(hum, {}).catch(() => {}); setTimeout(() => parentPort.postMessage('now'), 500)",
    ],
    [
      'while it is idle',
      "globalThis.m = await whisper.loadModel(model, { backend: 'cpu' }); parentPort.postMessage('now'); setInterval(() => {}, 1000)",
    ],
  ])('can be terminated %s', async (_, code) => {
    const ended = await runChild(
      `${worker(code)}
       for (let i = 0; i < 3; i++) {
         const w = start()
         await new Promise((resolve) => w.on('message', resolve))
         await w.terminate()
       }
       const m = await load()
       console.log('now', (await m.transcribe(hum.subarray(0, 16000), { ...options, maxTokens: 4 })).duration)`,
    )
    expect(ended).toMatchObject({ code: 0, signal: null, stdout: 'now 1\n', stderr: '' })
  })
})
