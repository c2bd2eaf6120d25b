#!/usr/bin/env node
// @ts-check
/**
 * Checks that a build can be made again, byte for byte: `node scripts/check-reproducible.mjs [BUILD]`, by default of build/Release.
 * A copy of this checkout in another folder is compiled with the same options and without ccache, and the outputs are compared. Has to run on the
 * system that the build was made on: for a HIP module, in the tree of scripts/rocm-toolchain.mjs.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { packageRoot } from './support/package.mjs'
import { BUILD_REPORT_FILE, damagedOutputs, outputsOf } from './support/report.mjs'
import { BuildError, log, run } from './support/script.mjs'

/** What is not of the sources, or has to be made anew. */
const LEFT_OUT = /^(\.git|node_modules|build|dist|prebuilds|release)$/

/** @typedef {import('../lib/backend/build-report.ts').BuildReport} BuildReport */

/** @param {string} build @returns {BuildReport} */
const readReport = (build) => JSON.parse(readFileSync(join(build, BUILD_REPORT_FILE), 'utf8'))

/** @param {string} program @param {string[]} args @param {string} cwd @param {NodeJS.ProcessEnv} env */
function must(program, args, cwd, env) {
  const { status, error } = spawnSync(program, args, { cwd, env, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new BuildError(`${program} ${args.join(' ')} failed (${error?.message ?? status}).`)
}

/** The same build in another folder. @param {string} root of the copy @param {BuildReport} report @returns {string} */
function buildAgain(root, { hip, portable, glibc }) {
  cpSync(packageRoot, root, {
    recursive: true,
    filter: (from) => !LEFT_OUT.test(relative(packageRoot, from)),
  })
  const env = {
    ...process.env,
    CCACHE_DISABLE: '1',
    WHISPER_HIP_BUILD: hip.built ? 'hip' : 'cpu',
    WHISPER_HIP_PORTABLE: portable ? '1' : '0',
    ...(glibc !== undefined && { WHISPER_HIP_GLIBC: glibc }),
    ...(hip.built && { WHISPER_HIP_TARGETS: hip.gpuTargets.join(',') }),
    WHISPER_HIP_ALL_KERNELS: hip.kernels === 'all' ? 'ON' : 'OFF',
  }
  must('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], root, env)
  const out = join(root, 'elsewhere')
  must(process.execPath, ['scripts/build.mjs', out], root, env)
  return join(out, 'Release')
}

await run(async () => {
  const build = resolve(process.argv[2] ?? join(packageRoot, 'build', 'Release'))
  const report = readReport(build)
  const damaged = damagedOutputs(build, report)
  if (damaged.length > 0) throw new BuildError(`${build} is not what was built: ${damaged.join(', ')}.`)
  const folder = mkdtempSync(join(tmpdir(), 'whisper-hip-again-'))
  try {
    const again = buildAgain(join(folder, 'in', 'another', 'place'), report)
    const other = readReport(again)
    // A prebuild has another name for the addon, and not all CPU modules.
    const names = outputsOf(report).map((name) => ({
      name,
      otherName: name === report.built.addon ? other.built.addon : name,
    }))
    const different = names.filter(
      ({ name, otherName }) => report.sha256?.[name] !== other.sha256?.[otherName],
    )
    if (different.length > 0)
      throw new BuildError(
        `Built again in another folder, other bytes came of ${different.map(({ name }) => name).join(', ')}.`,
      )
    log(
      `built again in another folder without ccache, the same bytes: ${names.map(({ name }) => name).join(', ')}`,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
