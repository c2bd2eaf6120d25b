// @ts-check
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageVersion } from './package.mjs'

/** @typedef {import('../../lib/backend/build-report.ts').BuildReport} BuildReport */

/** The same name as in lib/backend/build-report.ts, which reads it. */
export const BUILD_REPORT_FILE = 'build-report.json'

/**
 * What CMakeLists.txt writes into `configuration.json`.
 * @typedef {{ whisperCpp: string, ggml: string, base: string, trial: string, modules: string[], hipVersion: string, flags: string }} Configuration
 */

/**
 * @param {object} build
 * @param {string} build.root
 * @param {Configuration} build.configuration
 * @param {import('./toolchain.mjs').Toolchain} build.toolchain
 * @param {import('./options.mjs').HipPlan} build.hip
 * @param {boolean} build.portable
 * @param {string} [build.glibc] the oldest one that it runs with, where it was linked for one
 * @param {string} build.sourcesHash
 * @returns {BuildReport}
 */
export function makeReport({ root, configuration, toolchain, hip, portable, glibc, sourcesHash }) {
  const hipModule = configuration.modules.find((name) => name === 'libggml-hip.so') ?? null
  return {
    whisperHip: packageVersion(root),
    whisperCpp: configuration.whisperCpp,
    ggml: configuration.ggml,
    built: {
      addon: 'whisper_hip.node',
      base: configuration.base,
      cpu: configuration.modules.filter((name) => name.startsWith('libggml-cpu')),
      hip: hipModule,
      trial: configuration.trial,
    },
    hip: {
      built: hipModule !== null,
      reason: hipModule === null ? 'NOT_COMPILED' : 'OK',
      message: hip.message,
      hipVersion: configuration.hipVersion || null,
      gpuTargets: hip.gpuTargets,
      kernels: hip.kernels,
      ...(hipModule !== null && hip.rocm && { rocm: hip.rocm.root }),
    },
    arch: toolchain.arch,
    compiler: toolchain.compiler,
    cmake: toolchain.cmakeVersion,
    flags: configuration.flags,
    portable,
    ...(glibc !== undefined && { glibc }),
    sourcesHash,
  }
}

/**
 * @param {string} folder
 * @returns {Promise<BuildReport | null>} null also for a report that was cut short
 */
export async function readReport(folder) {
  try {
    return JSON.parse(await readFile(join(folder, BUILD_REPORT_FILE), 'utf8'))
  } catch {
    return null
  }
}

/** @param {BuildReport} report names of the outputs */
export const outputsOf = ({ built: { addon, base, cpu, hip, trial } }) => [
  addon,
  base,
  ...cpu,
  ...(hip ? [hip] : []),
  ...(trial ? [trial] : []),
]

/**
 * @param {string} folder
 * @param {BuildReport} report
 * @returns {string[]} outputs that the report names and the folder lacks
 */
export const missingOutputs = (folder, report) =>
  outputsOf(report).filter((name) => !existsSync(join(folder, name)))

/**
 * sha256 of the outputs by their names, to know them again.
 * @param {string} folder
 * @param {BuildReport} report
 * @returns {Record<string, string>}
 */
export const hashOutputs = (folder, report) =>
  Object.fromEntries(outputsOf(report).map((name) => [name, sha256(join(folder, name))]))

/**
 * @param {string} folder
 * @param {BuildReport} report
 * @returns {string[]} outputs that are not what was built: damaged, or of another build
 */
export const damagedOutputs = (folder, report) =>
  Object.entries(report.sha256 ?? {}).flatMap(([name, hash]) =>
    existsSync(join(folder, name)) && sha256(join(folder, name)) !== hash ? [name] : [],
  )

/** @param {string} path */
const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex')
