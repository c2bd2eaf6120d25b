import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scratchFolder } from '../fixtures/material.ts'
import { compileWithEngine, cpuModule, linesOf, usableKernels } from './engine-programs.ts'

// The engine without Node, on weights that are made up. Needs g++ with its sanitizers and the CPU module of build/Release; compiling
// takes a minute of a processor.

const here = usableKernels(readFileSync('/proc/cpuinfo', 'utf8'))

/** Compiles the programs for the tests of a group. */
function programs(names: readonly string[], ...flags: string[]): (name: string) => string {
  let scratch: Awaited<ReturnType<typeof scratchFolder>>
  beforeAll(async () => {
    scratch = await scratchFolder()
    await compileWithEngine(scratch.path, names, flags)
  }, 900_000)
  afterAll(() => scratch?.[Symbol.asyncDispose]())
  return (name) => join(scratch.path, name)
}

async function jobs(program: string, test: string) {
  const said = await linesOf(program, [cpuModule(), test], {})
  expect(said.filter((line) => line.startsWith('failed'))).toEqual([])
  expect(said.at(-1)).toMatch(/^\d+ checks$/)
}

describe('with the memory and the arithmetic watched', () => {
  const program = programs(
    ['test/native/engine-batches', 'test/native/engine-jobs'],
    ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
  )

  it.each([
    ['give what each gives alone, or end soon when they are cancelled', 'jobs'],
    ['leave nothing in use when they are cancelled', 'cancelled'],
    ['are cancelled while they wait, and while they are computed', 'waiting'],
    ['are served beside live ones that hold all windows', 'windows'],
    ['are served beside live ones that have all rows of a step', 'rows'],
    ['may be more at once than a graph has room for', 'crowd'],
    ['fail with damaged weights; an engine may end as soon as it was started', 'damage'],
  ])('jobs of many threads %s', (_, test) => jobs(program('engine-jobs'), test))

  const batches = async (kernels: string, flashAttention: boolean) => {
    const args = [cpuModule(), flashAttention ? '1' : '0']
    const said = await linesOf(program('engine-batches'), args, { WHISPER_HIP_CPU: kernels })
    expect(said.filter((line) => line.startsWith('failed'))).toEqual([])
    return said.at(-1)
  }

  it('searches that are decoded together give what each gives alone: to the last bit with our kernels, and the same with each of them', async () => {
    const digests = new Set<string>()
    for (const kernels of here.filter((name) => name !== 'none')) {
      const [, digest] = (await batches(kernels, true))?.match(/^\d{4} checks, exact 0.0e\+00, (\w+)$/) ?? []
      digests.add(digest ?? `${kernels} is not exact`)
    }
    expect(digests.size).toBe(1)
  })

  it.each([true, false])(
    "searches that are decoded together give what each gives alone with ggml's kernels, as nearly as those can (fused attention: %s)",
    async (flashAttention) => {
      expect(await batches('none', flashAttention)).toMatch(/^\d{4} checks, error \d\.\de-0[3-9], \w+$/)
    },
  )

  it('searches that are decoded together give what each gives alone without fused attention, as nearly as products of it can', async () => {
    expect(await batches(here[0] as string, false)).toMatch(/^\d{4} checks, error \d\.\de-0[4-9], \w+$/)
  })
})

// ggml's libraries are not compiled for it; no suppressions are needed as each graph has one thread, which is the engine's.
describe('with the order of threads watched', () => {
  const program = programs(['test/native/engine-jobs'], '-fsanitize=thread')

  it.each(['jobs', 'cancelled', 'waiting', 'damage'])('jobs of many threads have no data races: %s', (test) =>
    jobs(program('engine-jobs'), test),
  )
})
