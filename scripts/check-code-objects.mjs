#!/usr/bin/env node
// @ts-check
/**
 * Checks the HIP module against the ROCm runtime of this system: `node scripts/check-code-objects.mjs [MODULE TARGET…]`
 * (default: what is built here). Every bundle of device code that the module registers is unpacked by the libamd_comgr
 * that the runtime would load, with comgr's cache on and empty, for every target. What comes out must be what is in the
 * file, with the kernels that the host code launches where the runtime looks for them. Needs no GPU, but the module's libraries, comgr's header and a C++
 * compiler.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from './support/package.mjs'
import { findRocm } from './support/rocm.mjs'
import { BuildError, isMain, log, run } from './support/script.mjs'
import { requireToolchain } from './support/toolchain.mjs'

const SOURCES = join(packageRoot, 'test', 'hip', 'code-objects')
const FLAGS = ['-std=c++17', '-Wall', '-Wextra', '-Werror', '-rdynamic', '-ldl']

/**
 * @param {string} module
 * @param {readonly string[]} targets e.g. `gfx1100`, all that the module was built for
 * @returns {{ problems: string[], summary: string }} each problem names its bundle
 * @throws {BuildError} when it cannot be checked
 */
export function checkCodeObjects(module, targets) {
  const rocm = findRocm()
  if ('problem' in rocm) throw new BuildError(rocm.problem)
  const folder = mkdtempSync(join(tmpdir(), 'whisper-hip-code-objects-'))
  try {
    const program = join(folder, 'check')
    const units = readdirSync(SOURCES).filter((name) => name.endsWith('.cpp'))
    const paths = units.map((name) => join(SOURCES, name))
    execute(requireToolchain(process.env).cxx, [...paths, '-o', program, `-I${rocm.root}/include`, ...FLAGS])
    const { status, stdout, stderr } = execute(program, [module, ...targets], [0, 1], {
      ...process.env,
      AMD_COMGR_CACHE: '1',
      AMD_COMGR_CACHE_DIR: join(folder, 'cache'),
    })
    const problems = stdout.split('\n').filter(Boolean)
    if ((status === 0) !== (problems.length === 0)) throw new BuildError(`The check failed: ${stderr}`)
    return { problems, summary: stderr.trim() }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {number[]} good exit codes
 * @param {NodeJS.ProcessEnv} env
 */
function execute(program, args, good = [0], env = process.env) {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    env,
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status === null || !good.includes(status))
    throw new BuildError(`${program} ended with ${error?.message ?? signal ?? status}: ${stderr?.trim()}`)
  return { status, stdout, stderr }
}

/** The module that was built here, and what for. */
function builtModule() {
  const outputs = join(packageRoot, 'build', 'Release')
  const { built, hip } = JSON.parse(readFileSync(join(outputs, 'build-report.json'), 'utf8'))
  if (!built.hip) throw new BuildError(`There is no HIP module in ${outputs}: npx whisper-hip build --hip`)
  return { module: join(outputs, built.hip), targets: hip.gpuTargets }
}

if (isMain(import.meta.url))
  await run(async () => {
    const [named, ...namedTargets] = process.argv.slice(2)
    const { module, targets } = named ? { module: named, targets: namedTargets } : builtModule()
    if (targets.length === 0)
      throw new BuildError('Expected: node scripts/check-code-objects.mjs [MODULE TARGET…]')
    const { problems, summary } = checkCodeObjects(module, targets)
    for (const problem of problems) console.error(`${module}: ${problem}`)
    log(summary)
    if (problems.length > 0) process.exitCode = 1
  })
