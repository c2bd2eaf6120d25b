import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { buildGgml } from '../fixtures/ggml-builder.ts'

/** Needs dist/ (`npm run build:lib`). */
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'whisper-hip-memory-'))
  writeFileSync(join(folder, 'tiny.bin'), buildGgml({ multilingual: true, audioContext: 100 }))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function runProgram(body: string, limit = '', options: string[] = []): Promise<string> {
  const program = join(folder, `program-${Math.random().toString(36).slice(2)}.cjs`)
  writeFileSync(
    program,
    `const { readFileSync } = require('node:fs')
     const whisper = require(${JSON.stringify(packageRoot())})
     const model = ${JSON.stringify(join(folder, 'tiny.bin'))}
     const status = (name) => Number(readFileSync('/proc/self/status', 'utf8').match(name + ':\\\\s+(\\\\d+) kB')[1])
     const hum = Float32Array.from({ length: 2 * 16000 }, (_, i) => 0.1 * Math.sin(i / 20))
     const load = () => whisper.loadModel(model, { backend: 'cpu' })
     const quick = { language: 'en', beamSize: 1, temperature: 0, maxTokens: 4 }
     ;(async () => { ${body} })()`,
  )
  const command = `${limit}exec "$0" "$@"`
  const { stdout, stderr } = await promisify(execFile)('sh', [
    '-c',
    command,
    process.execPath,
    ...options,
    program,
  ])
  expect(stderr).toBe('')
  return stdout
}

describe('memory', () => {
  it('stays flat over 200 rounds of load, transcribe and dispose', { timeout: 400_000 }, async () => {
    const output = await runProgram(
      `const round = async () => {
         const m = await load()
         await m.transcribe(hum, quick)
         await m.dispose()
         gc()
       }
       for (let i = 0; i < 40; i++) await round()
       const before = status('VmRSS')
       for (let i = 0; i < 200; i++) await round()
       console.log((status('VmRSS') - before) / 200)`,
      '',
      ['--expose-gc'],
    )
    expect(Number(output)).toBeLessThan(50)
  })

  it('of a model that was forgotten without dispose comes back', async () => {
    const output = await runProgram(
      `const native = require(${JSON.stringify(addon().path)})
       const forget = async () => { await (await load()).transcribe(hum, quick) }
       await forget()
       for (let i = 0; i < 50 && native.counters().models > 0; i++) {
         await new Promise((resolve) => setTimeout(resolve, 20))
         gc()
       }
       console.log(JSON.stringify(native.counters()))`,
      '',
      ['--expose-gc'],
    )
    expect(JSON.parse(output)).toMatchObject({ models: 0, tasks: 0, byteStores: 0 })
  })

  it('that runs out is an error, while loading and while running, and the process goes on', async () => {
    const peak = Number(
      await runProgram("const m = await load(); await m.dispose(); console.log(status('VmPeak'))"),
    )
    const output = await runProgram(
      `const codes = []
       const held = []
       const long = new Float32Array(16000 * 1200).fill(0.1)
       while (codes.length === 0) await load().then((m) => held.push(m), ({ code }) => codes.push(code))
       const [kept, ...others] = held
       await kept.transcribe(long, { ...quick, duration: 1 }).catch(({ code }) => codes.push(code))
       await Promise.all(others.map((m) => m.dispose()))
       await kept.transcribe(hum, quick)
       await kept.dispose()
       console.log(JSON.stringify(codes))`,
      `ulimit -v ${peak + 600_000}; `,
    )
    expect(JSON.parse(output)).toEqual(['ERR_OUT_OF_MEMORY', 'ERR_OUT_OF_MEMORY'])
  })
})

describe('two copies of the package in one process', () => {
  it('work side by side, each with an addon of its own', async () => {
    const copy = join(folder, 'copy')
    mkdirSync(copy)
    const root = packageRoot()
    const build = dirname(addon().path)
    cpSync(build, join(copy, 'build', 'Release'), { recursive: true })
    for (const part of ['dist', 'vendor/silero-vad'])
      cpSync(join(root, part), join(copy, part), { recursive: true })
    writeFileSync(join(copy, 'package.json'), readFileSync(join(root, 'package.json')))
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const output = await runProgram(
      `const other = require(${JSON.stringify(copy)})
       const models = [await load(), await other.loadModel(model, { backend: 'cpu' })]
       const texts = await Promise.all(models.map((m) => m.transcribe(hum, quick)))
       const addons = (await Promise.all([whisper, other].map((w) => w.backendInfo()))).map((info) => info.libraries.addon)
       await Promise.all(models.map((m) => m.dispose()))
       console.log(JSON.stringify([texts[0].text === texts[1].text, addons[0] !== addons[1]]))`,
    )
    expect(JSON.parse(output)).toEqual([true, true])
  })
})
