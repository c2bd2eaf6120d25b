import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cpuModule } from '../../native/engine-programs.ts'
import { programsOnStub } from '../kernels/programs.ts'
import { kernelCode } from './device-code.ts'
import { builtTargets, hipModule } from './hip-module.ts'

interface GraphCounts {
  nodes: number
  notClaimed: number
}

interface ModelLine {
  model: string
  type: string
  flash: boolean
  encode: GraphCounts
  prompt: GraphCounts
  step: GraphCounts
  align: GraphCounts
}

// Compiling takes half a minute of a processor.
let programs: Awaited<ReturnType<typeof programsOnStub>>
beforeAll(async () => {
  programs = await programsOnStub('test/hip/kernels/graphs', 'test/hip/kernels/operations')
}, 900_000)
afterAll(() => programs?.[Symbol.asyncDispose]())

/** Kernels that compute on a chip: those that store something, and are not a trap. Names as the stub counts them. */
function kernelsWithCode(gfx: string): Set<string> {
  const stores = /^(global|flat|buffer|scratch|s)_(store|atomic)/
  const kernels = [...kernelCode(hipModule(), gfx, '')]
  const full = kernels.filter(([, code]) => code.some((word) => stores.test(word))).map(([name]) => name)
  const names = execFileSync('c++filt', { input: full.join('\n'), encoding: 'utf8' })
  return new Set(names.split('\n').map(withoutParameters))
}

/** `void mul_mat_q<(ggml_type)8, 64>(char const*)` becomes `mul_mat_q<(ggml_type)8, 64>`. */
function withoutParameters(name: string): string {
  let depth = 0
  const end = [...name].findIndex((letter, index) => {
    if (letter === '<') depth++
    if (letter === '>') depth--
    return letter === '(' && depth === 0 && !name.startsWith('(anonymous namespace)', index)
  })
  return name.slice(0, end < 0 ? undefined : end).replace(/^void /, '')
}

/** Of one chip: 130 models on two slow cores. */
const LIMIT = 900_000
const GRAPHS = ['encode', 'prompt', 'step', 'align'] as const

// One chip of each family: the module chooses its kernels by the chip, and launches them without code for it on the stub.
// The choice among sizes is the same everywhere; all of them are run on the chips that CI compiles for.
const SOME = ['base', 'large-v3, large-v3-turbo, distil-large-v3']
describe.each([
  ['gfx1100', 10, []],
  ['gfx90a', 10, []],
  ['gfx908', 2, SOME],
  ['gfx942', 2, SOME],
  ['gfx1030', 2, SOME],
  ['gfx1151', 2, SOME],
  ['gfx1201', 2, SOME],
])('on %s', (gfx, count, sizes) => {
  it(
    'the module has every kernel that a model of Whisper can reach',
    async () => {
      const { lines, stderr, code, signal, counts } = await programs.run('graphs', gfx, cpuModule(), ...sizes)
      // A module that dies leaves the line of its model unfinished; stderr names the kernel, or what went wrong.
      expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' })
      const models = lines.map((line) => JSON.parse(line) as ModelLine)
      expect(new Set(models.map(({ model }) => model)).size).toBe(count)
      expect(new Set(models.map(({ type }) => type)).size).toBe(13)
      expect(models.filter(({ flash }) => !flash)).toHaveLength(count)
      for (const line of models) {
        for (const graph of GRAPHS) {
          expect(line[graph].notClaimed, `${graph} of ${JSON.stringify(line)}`).toBe(0)
          expect(line[graph].nodes).toBeGreaterThan(0)
        }
      }
      if (builtTargets().includes(gfx)) {
        const launched = Object.keys(counts).flatMap((key) => /^kernel\.(.*)/.exec(key)?.[1] ?? [])
        expect(launched.length).toBeGreaterThan(20)
        const withCode = kernelsWithCode(gfx)
        expect(launched.filter((name) => !withCode.has(name))).toEqual([])
      }
    },
    LIMIT,
  )
})

describe('the claims of the module', () => {
  const HAS = ['add', 'attention 64', 'gelu', 'get_rows q4_K', 'mul_mat q4_K', 'norm', 'set_rows']
  const LACKS = [
    ...['add f16', 'add f16 f32', 'argsort', 'attention 128', 'attention 64 capped', 'attention 64 grouped'],
    ...['attention 64 q8_0', 'concat', 'div', 'group_norm', 'mul_mat iq2_xs', 'mul_mat iq4_nl'],
    ...[
      'mul_mat mxfp4',
      'mul_mat_id',
      'repeat',
      'repeat f16',
      'rms_norm',
      'rope',
      'scale',
      'sub',
      'sum_rows',
    ],
  ]

  it('are of what it was built with, and of nothing else', async () => {
    const { lines, code } = await programs.run('operations', 'gfx1100')
    expect(code).toBe(0)
    const claims = lines.map((line) => JSON.parse(line) as { operation: string; claimed: boolean })
    const claimed = (wanted: boolean) =>
      claims.filter(({ claimed }) => claimed === wanted).map(({ operation }) => operation)
    expect(claimed(true)).toEqual(HAS)
    expect(claimed(false)).toEqual(LACKS)
  })

  it.each([
    ['rope', 'ggml_cuda_op_rope'],
    ['argsort', 'ggml_cuda_op_argsort'],
    ['mul_mat iq4_nl', 'mul_mat_q<iq4_nl>'],
    ['mul_mat iq2_xs', 'mul_mat_vec_q<iq2_xs>'],
    ['attention 128', 'flash_attn_ext_tile<128, 128>'],
    ['attention 64 capped', 'flash_attn_tile<64, 64, *, 1, true>'],
    ['add f16', 'k_bin_bcast<f16>'],
    ['repeat', 'k_bin_bcast<op_repeat>'],
    ['scale', 'ggml_cuda_op_scale'],
  ])('a kernel that is not there ends with its name: %s', async (operation, kernel) => {
    const { stderr, signal } = await programs.run('operations', 'gfx1030', operation)
    expect(signal).toBe('SIGABRT')
    expect(stderr).toContain(`this HIP module was built without the kernel ${kernel}`)
    expect(stderr).toContain('WHISPER_HIP_ALL_KERNELS=ON builds all kernels')
  })
})
