#!/usr/bin/env node
// @ts-check
/**
 * Fuzzes the native side of loading with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer. Needs clang++ with its
 * run-time libraries (Debian: clang libclang-rt-dev) and a build of the addon.
 *
 *   node scripts/fuzz.mjs [seconds]   default: 60
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './support/package.mjs'
import { readReport } from './support/report.mjs'
import { BuildError, isMain, log, run } from './support/script.mjs'
import { findProgram } from './support/toolchain.mjs'

const COMPILERS = [
  'clang++',
  'clang++-19',
  'clang++-18',
  'clang++-17',
  'clang++-16',
  'clang++-15',
  'clang++-14',
]
const SOURCES = [
  'test/fuzz/plan_fuzzer.cpp',
  'binding/model/load_plan.cpp',
  'binding/model/column_importance.cpp',
  'binding/model/row_converter.cpp',
  'binding/model/plan_stream.cpp',
  'binding/support/byte_store.cpp',
]
const INCLUDES = [
  'binding',
  'vendor/whisper.cpp/include',
  'vendor/whisper.cpp/ggml/include',
  'vendor/whisper.cpp/ggml/src',
]
const FLAGS = [
  '-std=c++17',
  '-g',
  '-O1',
  '-fsanitize=fuzzer,address,undefined',
  '-fno-sanitize-recover=undefined',
]
/** A plan of a few kilobytes must not lead to more. */
const LIMIT_MB = 800

/** @param {string} command @param {string[]} args */
function execute(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: packageRoot, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) throw new BuildError(`${command} ended with ${signal ?? `code ${status}`}`)
}

/** @param {number} seconds */
async function fuzz(seconds) {
  const compiler = COMPILERS.map((name) => findProgram(name, process.env)).find((path) => path !== null)
  if (!compiler) throw new BuildError('No clang++ was found. Debian: apt-get install clang libclang-rt-dev')
  const outputs = join(packageRoot, 'build', 'Release')
  const report = await readReport(outputs)
  if (report === null) throw new BuildError('There is no build of the addon: run node scripts/build.mjs')
  const folder = join(packageRoot, 'build', 'fuzz')
  mkdirSync(join(folder, 'corpus'), { recursive: true })
  const program = join(folder, 'plan_fuzzer')
  log('compiling the fuzz target')
  execute(compiler, [
    ...FLAGS,
    ...INCLUDES.flatMap((path) => ['-I', path]),
    ...SOURCES,
    join(outputs, report.built.base),
    `-Wl,-rpath,${outputs}`,
    '-o',
    program,
  ])
  log(`fuzzing for ${seconds} s`)
  execute(program, [
    join(folder, 'corpus'),
    `-artifact_prefix=${folder}/`,
    `-max_total_time=${seconds}`,
    `-rss_limit_mb=${LIMIT_MB}`,
    '-timeout=10',
    '-print_final_stats=1',
    '-verbosity=0',
  ])
}

if (isMain(import.meta.url)) await run(() => fuzz(Number(process.argv[2] ?? 60)))
