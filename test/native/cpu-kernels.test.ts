import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../scripts/support/package.mjs'
import { scratchFolder } from '../fixtures/material.ts'

// Compiles the kernels anew, with sanitizers: about a minute.

const flags =
  readFileSync('/proc/cpuinfo', 'utf8')
    .match(/^flags\s*:.*/m)?.[0]
    .split(' ') ?? []
const avx512 = ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl']
/** What the file of each instruction set is compiled with, as binding/cmake/cpu-kernels.cmake does, and the processor's names for it. */
const KERNELS = [
  { file: 'avx2', name: 'avx2', options: [], needs: ['avx2', 'fma', 'f16c'] },
  { file: 'avx_vnni', name: 'avx-vnni', options: ['-mavxvnni'], needs: ['avx_vnni'] },
  { file: 'avx512', name: 'avx512', options: avx512, needs: ['avx512bw', 'avx512dq', 'avx512vl'] },
  {
    file: 'avx512_vnni',
    name: 'avx512-vnni',
    options: [...avx512, '-mavx512vnni'],
    needs: ['avx512bw', 'avx512_vnni'],
  },
]
const here = KERNELS.filter(({ needs }) => needs.every((flag) => flags.includes(flag)))

describe.runIf(process.arch === 'x64')('the kernels of this processor', () => {
  let scratch: Awaited<ReturnType<typeof scratchFolder>>
  let program: string
  const binding = join(packageRoot, 'binding')
  const ggml = join(packageRoot, 'vendor', 'whisper.cpp', 'ggml')
  const release = join(packageRoot, 'build', 'Release')
  const base = readdirSync(release).find((name) => name.startsWith('libggml-base-'))
  const library = [`-L${release}`, `-l:${base}`, `-Wl,-rpath,${release}`]
  const include = [`-I${binding}`, '-isystem', join(ggml, 'include'), '-isystem', join(ggml, 'src')]
  const common = ['-std=c++17', '-O1', '-g1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
  const compile = (...args: string[]) =>
    execFileSync('g++', [...common, ...include, ...args], { stdio: 'pipe' })

  beforeAll(async () => {
    scratch = await scratchFolder()
    program = join(scratch.path, 'cpu-kernels')
    const objects = here.map(({ file, options }) => {
      const object = join(scratch.path, `${file}.o`)
      const set = ['-ffp-contract=off', '-mavx2', '-mfma', '-mf16c', ...options]
      compile(...set, '-c', join(binding, 'cpu', `kernels_${file}.cpp`), '-o', object)
      return object
    })
    compile(
      ...['choose_kernels', 'packed_layout'].map((name) => join(binding, 'cpu', `${name}.cpp`)),
      join(packageRoot, 'test', 'native', 'cpu-kernels.cpp'),
      ...objects,
      ...[...library, '-o', program],
    )
  }, 900_000)
  afterAll(() => scratch?.[Symbol.asyncDispose]())

  it('agree with sums in double precision, and with each other to the last bit, whatever the neighbours', () => {
    const said = execFileSync(program, { encoding: 'utf8', maxBuffer: 1 << 26 })
      .trim()
      .split('\n')
    expect(said.filter((line) => line.startsWith('failed'))).toEqual([])
    expect(said.at(-1)).toMatch(new RegExp(`^\\d{4,} checks of ${here.map(({ name }) => name).join(' ')}$`))
  }, 900_000)

  it.each(here)(
    '$name compute a layer as ggml does, and joined nodes to the last bit as single ones',
    async ({ name }) => {
      const graphs = join(scratch.path, 'cpu-graphs')
      if (!existsSync(graphs)) {
        compile(
          ...[join(packageRoot, 'test/native/cpu-graphs.cpp'), join(binding, 'backend/join_nodes.cpp')],
          ...[...library, '-ldl', '-o', graphs],
        )
      }
      const module = join(release, readdirSync(release).find((file) => file.startsWith('libggml-cpu')) ?? '')
      const said = execFileSync(graphs, [module, name], {
        encoding: 'utf8',
        env: { ASAN_OPTIONS: 'detect_leaks=0' },
      })
      expect(said).toMatch(/^\d{3,} comparisons\n$/)
    },
    900_000,
  )
})
