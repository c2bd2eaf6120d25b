#!/usr/bin/env node
// @ts-check
/**
 * Compiles the addon and its backend modules into `build/Release/` and records the outcome in
 * `build/Release/build-report.json`. With an argument, the folder of the build is that one. Does nothing when sources and options are those of the build that is there.
 *
 * Environment:
 *   WHISPER_HIP_BUILD=auto|cpu|hip   auto (default): with HIP when ROCm and an AMD GPU (or targets) are found; hip: or
 *                                    fail, and without a GPU in this machine for all common ones
 *   WHISPER_HIP_TARGETS=gfx1100;gfx1201   instead of the GPUs in this machine; or rdna3, for all of the family
 *   WHISPER_HIP_ALL_KERNELS=ON       all of ggml's GPU kernels instead of those that Whisper runs
 *   WHISPER_HIP_PORTABLE=1           CPU modules for every generation of processors instead of for this machine
 *   WHISPER_HIP_GLIBC=2.28           the oldest glibc to run with, instead of that of this machine
 *   CC, CXX, CFLAGS, CXXFLAGS, LDFLAGS, HIPCXX, ROCM_PATH, CMAKE_BUILD_PARALLEL_LEVEL   as usual; the build is for the
 *                                    processors that the compiler compiles for
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { cmakeSystem } from './support/cmake.mjs'
import { rocmEnvironment } from './support/hip-compiler.mjs'
import { withLock } from './support/lock.mjs'
import { buildOptions, planHip } from './support/options.mjs'
import { packageRoot, packageVersion } from './support/package.mjs'
import { withProgress } from './support/progress.mjs'
import {
  BUILD_REPORT_FILE,
  damagedOutputs,
  hashOutputs,
  makeReport,
  missingOutputs,
  outputsOf,
  readReport,
} from './support/report.mjs'
import { unseenFolders } from './support/rocm.mjs'
import { BuildError, isMain, log, run } from './support/script.mjs'
import { hashSources } from './support/sources-hash.mjs'
import { requireToolchain } from './support/toolchain.mjs'

const load = createRequire(import.meta.url)

/**
 * @typedef {import('./support/options.mjs').HipPlan} HipPlan
 * @typedef {import('./support/toolchain.mjs').Toolchain} Toolchain
 * @typedef {import('../lib/backend/build-report.ts').BuildReport} BuildReport
 */

/**
 * What a build would be. Two builds with equal `sourcesHash` are the same.
 * @param {string} root the package
 * @param {NodeJS.ProcessEnv} env
 * @param {boolean} [portable]
 * @param {string} [glibc] the oldest one that it has to run with
 */
export function planBuild(root, env, portable, glibc) {
  const options = buildOptions(env, portable)
  const hip = planHip(options, env)
  const unseen = hip.rocm ? unseenFolders(hip.rocm.root) : []
  const sourcesHash = hashSources(root, {
    ...options,
    hip,
    unseen,
    version: packageVersion(root),
    napi: load('node-addon-api/package.json').version,
    ...(glibc !== undefined && { glibc }),
  })
  return { portable: options.portable, hip, unseen, sourcesHash }
}

/**
 * @param {object} request
 * @param {string} request.root the package
 * @param {string} request.out folder of the build; the outputs are in its `Release`
 * @param {boolean} [request.portable]
 * @param {string} [request.glibc] the oldest one that it has to run with, without a C++ library of the system; by default
 * `WHISPER_HIP_GLIBC`
 * @param {NodeJS.ProcessEnv} [request.env]
 * @param {(line: string) => void} [request.tell]
 * @returns {Promise<BuildReport>}
 */
export async function build({
  root,
  out,
  portable: wanted,
  glibc: floor,
  env = process.env,
  tell = () => {},
}) {
  const glibc = floor ?? (env.WHISPER_HIP_GLIBC || undefined)
  const { portable, hip, unseen, sourcesHash } = planBuild(root, env, wanted, glibc)
  const outputs = join(out, 'Release')

  await mkdir(out, { recursive: true })
  const onWait = () => tell(`another process is building in ${out}; waiting for it`)
  return withLock(out, onWait, async () => {
    const previous = await readReport(outputs)
    const damaged = previous === null ? [] : damagedOutputs(outputs, previous)
    const isWhole = previous !== null && damaged.length + missingOutputs(outputs, previous).length === 0
    if (isWhole && previous.sourcesHash === sourcesHash) {
      tell(`${outputs} is up to date`)
      return previous
    }
    // A file that is newer than its sources would be taken for whole.
    for (const name of damaged) {
      tell(`${join(outputs, name)} is damaged; making it again`)
      await rm(join(outputs, name))
    }
    tell(hip.rocm ? hipAnnouncement(hip) : `without HIP: ${hip.message}`)
    const toolchain = requireToolchain(env)
    const linking = glibc === undefined ? [] : await linkingFor(glibc, toolchain)
    await compile({ root, out, env, toolchain, hip, unseen, portable, linking })

    const configuration = JSON.parse(await readFile(join(out, 'configuration.json'), 'utf8'))
    const report = makeReport({ root, configuration, toolchain, hip, portable, glibc, sourcesHash })
    if (hip.build && !report.hip.built)
      throw new BuildError('HIP was asked for and the build has no HIP module.')
    const missing = missingOutputs(outputs, report)
    if (missing.length > 0)
      throw new BuildError(`The build ended without ${missing.join(', ')} in ${outputs}.`)
    await removeOthers(outputs, report)
    report.sha256 = hashOutputs(outputs, report)
    await writeReport(outputs, report)
    return report
  })
}

/** @param {string} glibc @param {Toolchain} toolchain */
async function linkingFor(glibc, toolchain) {
  const { floorFlags, glibcFloor } = await import('./support/glibc-floor.mjs')
  return floorFlags(await glibcFloor({ floor: glibc, compiler: toolchain.c }))
}

/** For the shell that CMake's commands run in. @param {string} flag */
const quoted = (flag) => (/[^\w=,./+-]/.test(flag) ? `"${flag}"` : flag)

/** @param {HipPlan} hip */
function hipAnnouncement({ gpuTargets, rocm, kernels }) {
  const minutes = (kernels === 'all' ? 38 : 5) * gpuTargets.length
  const set = kernels === 'all' ? "all of ggml's GPU kernels" : "Whisper's GPU kernels"
  return `compiling ${set} for ${gpuTargets.join(', ')} with HIP ${rocm?.version} in ${rocm?.root}, about ${minutes} minutes on one core`
}

/**
 * Configures and compiles once. cmake-js's own `compile` would answer an error with a second build from nothing.
 * @param {{ root: string, out: string, env: NodeJS.ProcessEnv, toolchain: Toolchain, hip: HipPlan, unseen: string[], portable: boolean, linking: string[] }} request
 */
async function compile({ root, out, env, toolchain, hip, unseen, portable, linking }) {
  await forgetOtherConfiguration(root, out, toolchain, hip, linking)
  if (linking.length > 0)
    process.env.LDFLAGS = [env.LDFLAGS, ...linking.map(quoted)].filter(Boolean).join(' ')
  // Objects are the same wherever the package lies: ccache may use those of another checkout.
  process.env.CCACHE_BASEDIR ??= root
  process.env.CCACHE_NOHASHDIR ??= '1'
  if (hip.rocm) {
    if (rocmEnvironment(hip.rocm.root, {}).ROCM_PATH) process.env.ROCM_PATH = hip.rocm.root
    else delete process.env.ROCM_PATH
    process.env.HIPCXX = hip.rocm.compiler
  }
  const system = cmakeSystem({
    directory: root,
    out,
    cmakePath: toolchain.cmake,
    generator: toolchain.generator,
    cCompilerPath: toolchain.c,
    cppCompilerPath: toolchain.cxx,
    parallel: env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism()),
    cMakeOptions: {
      WHISPER_HIP_HIP: hip.build ? 'ON' : 'OFF',
      WHISPER_HIP_PORTABLE: portable ? 'ON' : 'OFF',
      WHISPER_HIP_ALL_KERNELS: hip.kernels === 'all' ? 'ON' : 'OFF',
      GPU_TARGETS: hip.gpuTargets.join(';'),
      WHISPER_HIP_ROCM_LIBRARIES: unseen.join(';'),
      ...(hip.rocm ? { CMAKE_PREFIX_PATH: hip.rocm.root } : {}),
      ...crossOptions(toolchain, portable),
    },
  })
  try {
    await system.configure()
    // From here on the outputs may be of two builds: without a report nothing loads them.
    await rm(join(out, 'Release', BUILD_REPORT_FILE), { force: true })
    await withProgress(out, env, () => system.build())
  } catch (error) {
    throw new BuildError(
      `The native build failed (${error instanceof Error ? error.message : error}). The first error is above.`,
    )
  }
}

/** What CMake has to be told where the compiler is for another processor. @param {Toolchain} toolchain @param {boolean} portable */
function crossOptions({ arch, processor, compiler }, portable) {
  if (arch === process.arch) return {}
  if (!portable)
    throw new BuildError(
      `The compiler (${compiler}) is for ${arch}, and this machine has ${process.arch}: set WHISPER_HIP_PORTABLE=1, for a build that does not ask this processor what it has.`,
    )
  return { CMAKE_SYSTEM_NAME: 'Linux', CMAKE_SYSTEM_PROCESSOR: processor }
}

/**
 * CMake refuses a folder that was configured elsewhere (a moved or copied package), or for another generator or compiler,
 * and remembers where ROCm was.
 * @param {string} root
 * @param {string} out
 * @param {Toolchain} toolchain
 * @param {HipPlan} hip
 * @param {string[]} linking flags for the linker, which CMake reads once
 */
async function forgetOtherConfiguration(root, out, toolchain, { rocm }, linking) {
  const cache = await readFile(join(out, 'CMakeCache.txt'), 'utf8').catch(() => '')
  /** @param {string} key */
  const cached = (key) => cache.match(new RegExp(`^${key}:\\w+=(.*)$`, 'm'))?.[1]
  const same =
    cached('CMAKE_HOME_DIRECTORY') === root &&
    cached('CMAKE_CACHEFILE_DIR') === out &&
    cached('CMAKE_GENERATOR') === toolchain.generator &&
    cached('CMAKE_CXX_COMPILER') === toolchain.cxx &&
    linking.every((flag) => cached('CMAKE_SHARED_LINKER_FLAGS')?.includes(flag)) &&
    (!rocm || (cached('CMAKE_HIP_COMPILER') ?? rocm.compiler) === rocm.compiler) &&
    (!rocm || (cached('hip_DIR') ?? rocm.root).startsWith(rocm.root))
  if (same) return
  for (const name of ['CMakeCache.txt', 'CMakeFiles', 'ggml'])
    await rm(join(out, name), { recursive: true, force: true })
}

/**
 * Removes what an earlier build of other options or versions left among the outputs.
 * @param {string} outputs
 * @param {BuildReport} report
 */
async function removeOthers(outputs, report) {
  const current = new Set(outputsOf(report))
  for (const name of await readdir(outputs))
    if (!current.has(name)) await rm(join(outputs, name), { recursive: true })
}

/**
 * @param {string} outputs
 * @param {BuildReport} report
 */
async function writeReport(outputs, report) {
  const path = join(outputs, BUILD_REPORT_FILE)
  await writeFile(`${path}.new`, `${JSON.stringify(report, null, 2)}\n`)
  await rename(`${path}.new`, path)
}

if (isMain(import.meta.url))
  await run(() =>
    build({
      root: packageRoot,
      out: resolve(process.argv[2] ?? join(packageRoot, 'build')),
      tell: log,
    }),
  )
