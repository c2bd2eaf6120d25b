// @ts-check
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageVersion } from './package.mjs'

/** @typedef {import('../../lib/backend/build-report.ts').BuildReport} BuildReport */

/** The same name as in lib/backend/build-report.ts, which reads it. */
export const BUILD_REPORT_FILE = 'build-report.json'

/**
 * What CMakeLists.txt writes into `configuration.json`.
 * @typedef {{ whisperCpp: string, ggml: string, base: string, modules: string[], hipVersion: string, flags: string }} Configuration
 */

/**
 * @param {object} build
 * @param {string} build.root
 * @param {Configuration} build.configuration
 * @param {import('./toolchain.mjs').Toolchain} build.toolchain
 * @param {import('./options.mjs').HipPlan} build.hip
 * @param {boolean} build.portable
 * @param {string} build.sourcesHash
 * @returns {BuildReport}
 */
export function makeReport({ root, configuration, toolchain, hip, portable, sourcesHash }) {
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
    compiler: toolchain.compiler,
    cmake: toolchain.cmakeVersion,
    flags: configuration.flags,
    portable,
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

/**
 * @param {string} folder
 * @param {BuildReport} report
 * @returns {string[]} outputs that the report names and the folder lacks
 */
export function missingOutputs(folder, { built }) {
  const names = [built.addon, built.base, ...built.cpu, ...(built.hip ? [built.hip] : [])]
  return names.filter((name) => !existsSync(join(folder, name)))
}
