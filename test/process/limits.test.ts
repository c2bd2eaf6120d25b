import { beforeAll, describe, expect, it } from 'vitest'
import { makeMaterials, runChild } from './child.ts'

beforeAll(makeMaterials)

/** One arena for all threads: each other one would reserve 64 MiB of address space, at times. */
const env = { MALLOC_ARENA_MAX: '1' }

/** KiB of address space that Node and the loaded addon have anyway, and that a load and a transcription reach. */
async function spaceOf(script: string): Promise<number> {
  const { stdout } = await runChild('space.cjs', [script], { env })
  return Number(stdout)
}

describe('a limit of memory', () => {
  it('anywhere below what is needed is an error, never the end, and nothing is lost by trying', async () => {
    // Node itself ends when it cannot grow its heap.
    const enough = (await spaceOf('idle')) + 160_000
    const full = await spaceOf('full')
    const codes = new Set<string>()
    const steps = 6
    for (let step = 0; step < steps; step++) {
      const limit = Math.round(enough + ((full - enough) * step) / steps)
      const { stdout, ...ended } = await runChild('limited.cjs', [], {
        env,
        before: `ulimit -v ${limit};`,
        patience: 120,
      })
      expect(ended, `ulimit -v ${limit}`).toMatchObject({ code: 0, signal: null, stderr: '' })
      const outcome = JSON.parse(stdout)
      expect(outcome.errors, `ulimit -v ${limit}`).toEqual([])
      // The caches of a job take more than 28 MiB, of six attempts 168. The allocator keeps up to three of them at times.
      expect(outcome.growth, `ulimit -v ${limit}`).toBeLessThan(140)
      for (const code of outcome.codes) codes.add(code)
    }
    expect([...codes]).toEqual(['ERR_OUT_OF_MEMORY'])
  }, 600_000)

  it('that is reached by running jobs fails these jobs, and the model goes on', async () => {
    const margins = ['20', '40', '60', '100', '150', '250']
    const { stdout, ...ended } = await runChild('tightened.cjs', margins, { env })
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
    const outcomes = JSON.parse(stdout)
    const last = outcomes.pop()
    expect(last).toBe('T')
    const all = outcomes.flatMap(([, texts]: [number, string[]]) => texts)
    expect(new Set(all)).toEqual(new Set(['ERR_OUT_OF_MEMORY', last]))
  })
})

it('a full table of files keeps nothing from being loaded when it has room again', async () => {
  const { stdout, ...ended } = await runChild('full-table.cjs', [], { before: 'ulimit -n 200;' })
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
  const { codes, ...then } = JSON.parse(stdout)
  expect(codes).toEqual(['ERR_NATIVE_MISSING', 'ERR_NATIVE_MISSING', 'ERR_NATIVE_MISSING'])
  expect(then).toMatchObject({ text: expect.stringContaining('number'), active: 'cpu', duration: 1 })
})
