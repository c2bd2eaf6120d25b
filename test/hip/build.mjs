#!/usr/bin/env node
// @ts-check
/**
 * Compiles the test doubles of the GPU into `build/test-hip/` with the compiler that builds the addon: `node test/hip/build.mjs`.
 * They are never part of the package. Does nothing when what is there is of these sources.
 *
 *   libggml-fake-gpu.so   a ggml backend for WHISPER_HIP_LIBRARY; see fake-gpu/README.md
 *   rocm/                 a HIP runtime, hipBLAS and rocBLAS that compute nothing; see stub-runtime/README.md
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageRoot } from '../../scripts/support/package.mjs'
import { BuildError, isMain, log, run } from '../../scripts/support/script.mjs'
import { requireToolchain } from '../../scripts/support/toolchain.mjs'

const sources = dirname(fileURLToPath(import.meta.url))

/** Where the doubles are. */
export const doublesFolder = join(packageRoot, 'build', 'test-hip')
/** The ggml backend with GPUs that compute on the CPU. */
export const fakeGpu = join(doublesFolder, 'libggml-fake-gpu.so')

const FLAGS = [
  '-std=c++17',
  '-O2',
  '-fPIC',
  '-shared',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-fvisibility=hidden',
  '-pthread',
  '-ldl',
]

/** A folder that looks like ROCm's, to be put first into LD_LIBRARY_PATH with its `lib`. */
export const stubRuntime = join(doublesFolder, 'rocm')

/** Compiles what has changed. Needs the build of the addon. */
export function buildDoubles() {
  buildFakeGpu()
  buildStubRuntime()
}

function buildFakeGpu() {
  const outputs = join(packageRoot, 'build', 'Release')
  const base = existsSync(outputs) && readdirSync(outputs).find((name) => name.startsWith('libggml-base-'))
  if (!base) throw new BuildError(`There is no build of the addon in ${outputs}: node scripts/build.mjs`)
  const ggml = join(packageRoot, 'vendor', 'whisper.cpp', 'ggml')
  compile(
    fakeGpu,
    ['shared', 'fake-gpu'],
    [
      // A test names the operations of a graph as the trial does.
      `-I${join(packageRoot, 'binding')}`,
      join(packageRoot, 'binding', 'backend', 'node_signature.cpp'),
      `-isystem${join(ggml, 'include')}`,
      `-isystem${join(ggml, 'src')}`,
      '-DGGML_BACKEND_DL',
      '-DGGML_BACKEND_SHARED',
      `-L${outputs}`,
      `-l:${base}`,
      '-Wl,-rpath,$ORIGIN/../Release',
      '-Wl,-z,nodelete',
    ],
  )
}

/** Of ROCm 6; those of the module that was built here, or that WHISPER_HIP_LIBRARY names. */
const SONAMES = { hip: 'libamdhip64.so.6', rocblas: 'librocblas.so.4', hipblas: 'libhipblas.so.2' }
/** Chips for which there are files of rocBLAS. */
const CHIPS = ['gfx90a', 'gfx1030', 'gfx1100']

function buildStubRuntime() {
  const { WHISPER_HIP_LIBRARY: named } = process.env
  const names = sonames(named ?? join(packageRoot, 'build', 'Release', 'libggml-hip.so'))
  const folder = join(stubRuntime, 'lib')
  const map = join(sources, 'stub-runtime', 'hip', 'symbols.map')
  /** @param {string} name */
  const link = (name) => [`-L${folder}`, '-Wl,--no-as-needed', `-l:${name}`, '-Wl,-rpath,$ORIGIN']
  compile(
    join(folder, names.hip),
    ['shared', 'stub-runtime/hip'],
    [`-Wl,-soname,${names.hip}`, `-Wl,--version-script=${map}`],
  )
  compile(
    join(folder, names.rocblas),
    ['stub-runtime/rocblas'],
    [`-Wl,-soname,${names.rocblas}`, ...link(names.hip)],
  )
  compile(
    join(folder, names.hipblas),
    ['stub-runtime/hipblas'],
    [`-Wl,-soname,${names.hipblas}`, ...link(names.rocblas), ...link(names.hip)],
  )
  const kernels = join(folder, 'rocblas', 'library')
  mkdirSync(kernels, { recursive: true })
  for (const chip of CHIPS) writeFileSync(join(kernels, `TensileLibrary_lazy_${chip}.dat`), '')
}

/**
 * The names under which the module wants the libraries of ROCm.
 * @param {string} module
 */
function sonames(module) {
  if (!existsSync(module)) return SONAMES
  const text = readFileSync(module).toString('latin1')
  /** @param {string} base @param {string} fallback */
  const find = (base, fallback) => text.match(new RegExp(`${base}\\.so\\.\\d+`))?.[0] ?? fallback
  return {
    hip: find('libamdhip64', SONAMES.hip),
    rocblas: find('librocblas', SONAMES.rocblas),
    hipblas: find('libhipblas', SONAMES.hipblas),
  }
}

/**
 * @param {string} output
 * @param {string[]} folders of the sources
 * @param {string[]} flags
 */
function compile(output, folders, flags) {
  const files = folders.flatMap((folder) =>
    readdirSync(join(sources, folder))
      .filter((name) => /\.(h|cpp|map)$/.test(name))
      .map((name) => join(sources, folder, name)),
  )
  const toolchain = requireToolchain(process.env)
  const units = files.filter((name) => name.endsWith('.cpp'))
  const include = [sources, ...folders.map((folder) => join(sources, folder))].map((folder) => `-I${folder}`)
  const args = [...FLAGS, ...include, ...units, '-o', `${output}.new`, ...flags]
  const hash = createHash('sha256').update(JSON.stringify([toolchain.cxx, args]))
  for (const name of [...files, ...flags.filter((flag) => flag.endsWith('.cpp'))])
    hash.update(readFileSync(name))
  const stamp = hash.digest('hex')
  const stampFile = join(doublesFolder, `${basename(output)}.stamp`)
  if (existsSync(output) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  mkdirSync(dirname(output), { recursive: true })
  const { status, stderr, error } = spawnSync(toolchain.cxx, args, { encoding: 'utf8' })
  if (status !== 0) throw new BuildError(`${output} cannot be compiled: ${error ?? stderr}`)
  renameSync(`${output}.new`, output)
  writeFileSync(stampFile, stamp)
}

if (isMain(import.meta.url))
  await run(async () => {
    buildDoubles()
    log(`the test doubles are in ${doublesFolder}`)
  })
