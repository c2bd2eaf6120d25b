import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { GgmlType } from '../../lib/model/plan.ts'
import { packageRoot } from '../../scripts/support/package.mjs'
import { encodeF32 } from '../fixtures/encode.ts'
import { assembleGgml, ggmlParts } from '../fixtures/ggml-builder.ts'
import { scratchFolder } from '../fixtures/material.ts'
import { compileWithEngine, cpuModule, linesOf, usableKernels } from './engine-programs.ts'

// The engine against whisper.cpp's own graphs, each with the same weights. Needs g++ and the CPU module of build/Release; compiling takes
// half a minute of a processor.

let scratch: Awaited<ReturnType<typeof scratchFolder>>
beforeAll(async () => {
  scratch = await scratchFolder()
  const hooks = join(packageRoot, 'binding', 'model', 'whisper_hooks.cpp')
  await compileWithEngine(
    scratch.path,
    ['test/native/golden'],
    ['-DWHISPER_VERSION="1"'],
    [{ path: hooks, flags: [] }],
  )
}, 900_000)
afterAll(() => scratch?.[Symbol.asyncDispose]())

const kernels = usableKernels(readFileSync('/proc/cpuinfo', 'utf8'))
const FLOATS: readonly GgmlType[] = [GgmlType.F32, GgmlType.F16, GgmlType.BF16]
const types = [
  ...['F32', 'F16', 'BF16', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1'],
  ...['Q8_0', 'Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K'],
] as (keyof typeof GgmlType)[]

/** Random blocks of these types stand for larger numbers. */
const WIDTHS: Partial<Record<keyof typeof GgmlType, number>> = {
  ...{ Q2_K: 2, Q3_K: 2, Q4_K: 1, Q5_K: 1, Q6_K: 0.25 },
}
/**
 * Largest relative errors of the logits. whisper.cpp scales the keys before it rounds them to f16: that alone is 3e-4, and moves what is
 * rounded to the bytes of quantised activations, of which ours have other blocks, and seven bits on AVX2.
 */
const QUANTISED_ERRORS: Readonly<Record<string, number>> = { none: 0.06, 'avx512-vnni': 0.06, avx2: 0.1 }

/** A file of whisper.cpp, whose attention chooses among what it sees: its norms are as wide as that takes. */
async function model(name: keyof typeof GgmlType): Promise<string> {
  const type = GgmlType[name]
  const parts = ggmlParts({ type, state: 256, heads: 4, audioContext: 64 })
  const wider = WIDTHS[name] ?? (FLOATS.includes(type) ? 2 : 8)
  for (const record of parts.records) {
    if (!/attn_ln\.weight$|ln_post\.weight$/.test(record.name)) continue
    const values = new Float32Array(record.data.slice().buffer)
    record.data = encodeF32(values.map((value) => value * wider))
  }
  const path = join(scratch.path, `${name}.bin`)
  await writeFile(path, assembleGgml(parts).bytes)
  return path
}

const golden = async (wanted: string, ...args: string[]) =>
  (await linesOf(join(scratch.path, 'golden'), [cpuModule(), ...args], { WHISPER_HIP_CPU: wanted })).at(-1)

it.each(types)('%s: logits, keys and values are those of whisper.cpp', async (name) => {
  const path = await model(name)
  const numbers = join(scratch.path, 'numbers')
  // whisper.cpp does not compute with an f32 kernel of a convolution; f16 holds the same numbers.
  const wanted = name === 'F32' ? await model('F16') : path
  expect(await golden('none', wanted, 'write', numbers)).toMatch(/^\d+ rows$/)
  for (const set of kernels) {
    for (const flashAttention of ['0', '1']) {
      const said = await golden(set, path, 'compare', numbers, flashAttention)
      const [logits, keys, values] = (said as string).split(' ').map(Number) as [number, number, number]
      const fused = flashAttention === '1'
      const most = FLOATS.includes(GgmlType[name])
        ? fused
          ? 1e-2
          : name === 'BF16'
            ? 5e-3
            : 1e-3
        : QUANTISED_ERRORS[set]
      expect(logits).toBeLessThan(most as number)
      expect(values).toBeLessThan(most as number)
      // The same operations of ggml on the same numbers.
      if (set !== 'none' || fused || name === 'F32') continue
      expect(values).toBe(0)
      expect(keys).toBeLessThan(5e-4)
    }
  }
})
