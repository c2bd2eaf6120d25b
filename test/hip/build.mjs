#!/usr/bin/env node
// @ts-check
/**
 * Compiles the test doubles of the GPU into `build/test-hip/` with the compiler that builds the addon: `node test/hip/build.mjs`.
 * They are never part of the package. Does nothing when what is there is of these sources.
 *
 *   libggml-fake-gpu.so   a ggml backend for WHISPER_HIP_LIBRARY; see fake-gpu/README.md
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageRoot } from '../../scripts/support/package.mjs'
import { BuildError, isMain, log, run } from '../../scripts/support/script.mjs'
import { requireToolchain } from '../../scripts/support/toolchain.mjs'

const sources = dirname(fileURLToPath(import.meta.url))

/** Where the doubles are. */
export const doublesFolder = join(packageRoot, 'build', 'test-hip')
/** The ggml backend with GPUs that compute on the CPU. */
export const fakeGpu = join(doublesFolder, 'libggml-fake-gpu.so')

const COMMON = [
  '-std=c++17',
  '-O2',
  '-g',
  '-fPIC',
  '-shared',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-fvisibility=hidden',
]

/** Compiles what has changed. Needs the build of the addon. */
export function buildDoubles() {
  buildFakeGpu()
}

function buildFakeGpu() {
  const outputs = join(packageRoot, 'build', 'Release')
  const base = existsSync(outputs) && readdirSync(outputs).find((name) => name.startsWith('libggml-base-'))
  if (!base) throw new BuildError(`There is no build of the addon in ${outputs}: node scripts/build.mjs`)
  const ggml = join(packageRoot, 'vendor', 'whisper.cpp', 'ggml')
  compile(fakeGpu, 'fake-gpu', [
    `-isystem${join(ggml, 'include')}`,
    `-isystem${join(ggml, 'src')}`,
    '-DGGML_BACKEND_DL',
    '-DGGML_BACKEND_SHARED',
    `-L${outputs}`,
    `-l:${base}`,
    '-Wl,-rpath,$ORIGIN/../Release',
    '-Wl,-z,nodelete',
    '-pthread',
    '-ldl',
  ])
}

/**
 * @param {string} output
 * @param {string} folder of the sources
 * @param {string[]} flags
 */
function compile(output, folder, flags) {
  const files = readdirSync(join(sources, folder)).filter((name) => /\.(h|cpp|map)$/.test(name))
  const toolchain = requireToolchain(process.env)
  const units = files.filter((name) => name.endsWith('.cpp')).map((name) => join(sources, folder, name))
  const args = [...COMMON, ...units, '-o', `${output}.new`, ...flags]
  const hash = createHash('sha256').update(JSON.stringify([toolchain.cxx, args]))
  for (const name of files) hash.update(readFileSync(join(sources, folder, name)))
  const stamp = hash.digest('hex')
  const stampFile = `${output}.stamp`
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
