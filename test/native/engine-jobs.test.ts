import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scratchFolder } from '../fixtures/material.ts'
import { compileWithEngine, cpuModule, linesOf, usableKernels } from './engine-programs.ts'

// The engine without Node, on weights that are made up. Needs g++ with its sanitizers and the CPU module of build/Release; compiling
// takes half a minute of a processor.

const here = usableKernels(readFileSync('/proc/cpuinfo', 'utf8'))

describe('searches that are decoded together', () => {
  let scratch: Awaited<ReturnType<typeof scratchFolder>>
  beforeAll(async () => {
    scratch = await scratchFolder()
    const flags = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']
    await compileWithEngine(scratch.path, ['engine-batches'], flags)
  }, 900_000)
  afterAll(() => scratch?.[Symbol.asyncDispose]())

  const batches = async (kernels: string, flashAttention: boolean) => {
    const args = [cpuModule(), flashAttention ? '1' : '0']
    const said = await linesOf(join(scratch.path, 'engine-batches'), args, { WHISPER_HIP_CPU: kernels })
    expect(said.filter((line) => line.startsWith('failed'))).toEqual([])
    return said.at(-1)
  }

  it('give what each one gives alone: to the last bit with our kernels, and the same with each of them', async () => {
    const digests = new Set<string>()
    for (const kernels of here.filter((name) => name !== 'none')) {
      const [, digest] = (await batches(kernels, true))?.match(/^\d{4} checks, exact 0.0e\+00, (\w+)$/) ?? []
      digests.add(digest ?? `${kernels} is not exact`)
    }
    expect(digests.size).toBe(1)
  })

  it.each([true, false])(
    "give what each one gives alone with ggml's kernels, as nearly as those can (fused attention: %s)",
    async (flashAttention) => {
      expect(await batches('none', flashAttention)).toMatch(/^\d{4} checks, error \d\.\de-0[4-9], \w+$/)
    },
  )

  it('give what each one gives alone without fused attention, as nearly as products of it can', async () => {
    expect(await batches(here[0] as string, false)).toMatch(/^\d{4} checks, error \d\.\de-0[4-9], \w+$/)
  })
})
