import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../scripts/support/package.mjs'
import { scratchFolder } from '../fixtures/material.ts'

let scratch: Awaited<ReturnType<typeof scratchFolder>>
let program: string

beforeAll(async () => {
  scratch = await scratchFolder()
  program = join(scratch.path, 'gpu-watch')
  const sources = ['test/native/gpu-watch', 'binding/backend/gpu_watch', 'binding/backend/gpu_state']
  const compile = (...flags: string[]) =>
    execFileSync(
      'g++',
      [
        ...['-std=c++17', '-O1', '-g', '-pthread', ...flags, `-I${join(packageRoot, 'binding')}`],
        ...sources.map((name) => join(packageRoot, `${name}.cpp`)),
        ...['-o', program],
      ],
      { stdio: 'pipe' },
    )
  try {
    compile('-fsanitize=thread')
    execFileSync(program, ['watched'], { env: { WHISPER_HIP_WATCH_SECONDS: '1' }, stdio: 'pipe' })
  } catch {
    compile() // a compiler without ThreadSanitizer, or a kernel that it does not know
  }
})
afterAll(() => scratch?.[Symbol.asyncDispose]())

async function run(args: readonly (string | number)[], environment: Record<string, string> = {}) {
  const start = performance.now()
  const child = spawn(program, args.map(String), {
    env: { WHISPER_HIP_WATCH_SECONDS: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [said, errors] = ['', '']
  child.stdout.on('data', (text) => {
    said += text
  })
  child.stderr.on('data', (text) => {
    errors += text
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect(errors).not.toMatch(/ThreadSanitizer/)
  return { said: said.trim(), errors, code, seconds: (performance.now() - start) / 1000 }
}

describe.concurrent('the watch over the GPU', () => {
  it('either gives a thread up or lets it go on, when its GPU answers at the last moment', async () => {
    const { said } = await run(['race', 200])
    const [back, lost, both] = said.split(' ').map(Number)
    expect(Number(back) + Number(lost)).toBe(200)
    expect(both).toBe(0)
    expect(lost).toBeGreaterThan(0)
  })

  it('stands still while a part is computed on the CPU', async () => {
    const { said } = await run(['parts'])
    expect(said).toBe('2 The GPU has not answered for 1 s')
  })

  it('is there for work on threads that nobody watches', async () => {
    const { said } = await run(['watched'])
    const [seconds, ...words] = said.split(' ')
    expect(Number(seconds)).toBeLessThan(2)
    expect(words.join(' ')).toBe('The GPU has not answered for 1 s')
  })

  it('stops a thread that goes on inside of its scope', async () => {
    expect((await run(['log'])).said).toBe('1')
  })

  it.each([0, 7])('ends a process whose libraries do not, with code %d', async (expected) => {
    const { code, errors, seconds } = await run(['exit', expected], { HANGS: '1' })
    expect(code).toBe(expected)
    expect(errors).toMatch(/does not let this process end/)
    expect(seconds).toBeGreaterThan(2.9)
    expect(seconds).toBeLessThan(6)
  })

  it('lets a process without a GPU take its time', async () => {
    const { code, errors, seconds } = await run(['idle', 7])
    expect({ code, errors }).toEqual({ code: 7, errors: '' })
    expect(seconds).toBeGreaterThan(4.9)
  })
})
