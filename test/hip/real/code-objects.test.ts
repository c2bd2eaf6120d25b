// scripts/check-code-objects.mjs on small libraries, made by the compiler that makes the module. Needs ROCm's compiler.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCodeTargets } from '../../../lib/backend/preflight/code-objects.ts'
import { Sysroot } from '../../../lib/backend/preflight/sysroot.ts'
import { checkCodeObjects } from '../../../scripts/check-code-objects.mjs'
import { rocmEnvironment } from '../../../scripts/support/hip-compiler.mjs'
import { findRocm } from '../../../scripts/support/rocm.mjs'
import { builtTargets, hipModule } from './hip-module.ts'

const TARGETS = ['gfx90a', 'gfx1100']
/** Two units, one of them with two kernels: two bundles in one library. */
const UNITS = [
  `__global__ void doubled(float* x) { x[threadIdx.x] *= 2; }
   void run(float* x) { doubled<<<1, 64>>>(x); }`,
  `__global__ void shifted(float* x) { x[threadIdx.x] += blockIdx.x; }
   __global__ void counted(int* x) { atomicAdd(x, 1); }
   void run(float* x, int* y) { shifted<<<1, 64>>>(x); counted<<<1, 64>>>(y); }`,
]

let folder: string
let plain: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'whisper-hip-two-units-'))
  plain = library('plain', '--no-offload-compress')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function library(name: string, ...flags: string[]): string {
  const rocm = findRocm()
  if ('problem' in rocm) throw new Error(rocm.problem)
  const compile = (...args: string[]) =>
    execFileSync(rocm.compiler, args, { env: rocmEnvironment(rocm.root, process.env) })
  const objects = UNITS.map((source, index) => {
    const path = join(folder, `${name}-${index}`)
    writeFileSync(`${path}.hip`, `#include <hip/hip_runtime.h>\n${source}\n`)
    const architectures = TARGETS.map((target) => `--offload-arch=${target}`)
    compile('-x', 'hip', ...architectures, '-O1', '-fPIC', ...flags, '-c', `${path}.hip`, '-o', `${path}.o`)
    return `${path}.o`
  })
  const path = join(folder, `lib${name}.so`)
  compile('-shared', ...objects, '-o', path, `-L${rocm.root}/lib`, '-lamdhip64')
  return path
}

describe('the check of code objects', () => {
  it('passes a library whose bundles are not compressed', () => {
    const { problems, summary } = checkCodeObjects(plain, TARGETS)
    expect(problems).toEqual([])
    expect(summary).toMatch(
      /^2 bundles with 3 kernels for 2 targets, unpacked by \/.*libamd_comgr.*: 0 problems$/,
    )
  })

  it('refuses one whose bundles are compressed, and names each', () => {
    const { problems } = checkCodeObjects(library('compressed', '--offload-compress'), TARGETS)
    // Where comgr's cache takes one bundle for the other, it says that too.
    expect(problems).toEqual(
      expect.arrayContaining(['bundle 1 (doubled) is compressed', 'bundle 2 (shifted) is compressed']),
    )
  })

  it('names the bundles without code for a target', () => {
    const { problems } = checkCodeObjects(plain, [...TARGETS, 'gfx1201'])
    expect(problems).toEqual([
      'bundle 1 (doubled) has no code for gfx1201',
      'bundle 2 (shifted) has no code for gfx1201',
    ])
  })

  it('names the kernels that are not in the symbol table, where the ROCm runtime looks for them', () => {
    const stripped = library('stripped', '--no-offload-compress', '-Xoffload-linker', '--strip-all')
    expect(checkCodeObjects(stripped, TARGETS).problems).toEqual([
      'bundle 1 (doubled) is unpacked for gfx1100 without the kernel doubled and 0 more of 1',
      'bundle 1 (doubled) is unpacked for gfx90a without the kernel doubled and 0 more of 1',
      'bundle 2 (shifted) is unpacked for gfx1100 without the kernel shifted and 1 more of 2',
      'bundle 2 (shifted) is unpacked for gfx90a without the kernel shifted and 1 more of 2',
    ])
  })

  it('names the kernels that are not where the host code looks for them', () => {
    const bytes = readFileSync(plain)
    const magic = '__CLANG_OFFLOAD_BUNDLE__'
    const [first, second] = [bytes.indexOf(magic), bytes.lastIndexOf(magic)]
    const swapped = join(folder, 'libswapped.so')
    // The first source's bundle is the shorter one.
    bytes.copy(bytes, second, first, second)
    writeFileSync(swapped, bytes)
    expect(checkCodeObjects(swapped, TARGETS).problems).toEqual([
      'bundle 2 (shifted) is unpacked for gfx1100 without the kernel shifted and 1 more of 2',
      'bundle 2 (shifted) is unpacked for gfx90a without the kernel shifted and 1 more of 2',
    ])
  })
})

it('the chips that the library reads from the module are those that it was built for', () => {
  expect(readCodeTargets(new Sysroot(), hipModule())).toEqual(builtTargets())
})
