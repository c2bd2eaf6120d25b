import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { WhisperHipError } from '../errors.ts'

/** Name of the file beside the addon that says what was built. */
export const BUILD_REPORT_FILE = 'build-report.json'

/** What one build produced. `scripts/build.mjs` writes it beside the addon. File names are relative to its folder. */
export interface BuildReport {
  /** Version of this package at the time of the build. */
  whisperHip: string
  whisperCpp: string
  ggml: string
  built: {
    addon: string
    /** ggml's core, which the addon and the modules are linked to. */
    base: string
    /** CPU modules; one in a local build, one for each generation of processors in a portable build. */
    cpu: string[]
    /** The HIP module, or null. */
    hip: string | null
    /** The program that tries a GPU where there is no Node to do it; left out by builds before it. */
    trial?: string
  }
  hip: {
    built: boolean
    reason: 'OK' | 'NOT_COMPILED'
    /** One sentence: what the module was compiled for, or why it was not compiled. */
    message: string
    /** Version of HIP at compile time, or null. */
    hipVersion: string | null
    /** GPU architectures in the module, e.g. `gfx1100`. */
    gpuTargets: string[]
    /** Which of ggml's GPU kernels are in the module: those that Whisper runs, or all; null without a module. */
    kernels: 'whisper' | 'all' | null
    /** Folder of the ROCm that the module was compiled with; left out without a module, and by version 0.1. */
    rocm?: string
  }
  /** Processors that it is for, as Node names them: `x64` or `arm64`. */
  arch: string
  /** First line of the compiler's `--version`. */
  compiler: string
  cmake: string
  /** Compiler flags and the CPU features of a local build. */
  flags: string
  portable: boolean
  /** The oldest glibc that it runs with; left out where that is the one of the machine that built it. */
  glibc?: string
  /** sha256 over the sources and options of the build. */
  sourcesHash: string
  /** sha256 of each file that was built; left out by version 0.1. */
  sha256?: Record<string, string>
}

/**
 * Reads the report beside an addon.
 * @param folder absolute path of the folder that holds the addon
 * @returns null when there is no report (the addon was built without `scripts/build.mjs`)
 * @throws {@link WhisperHipError} `ERR_NATIVE_MISSING` when the file is there and is not a report
 */
export function readBuildReport(folder: string): BuildReport | null {
  const path = join(folder, BUILD_REPORT_FILE)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw damaged(path, (error as Error).message, error)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw damaged(path, 'it is not JSON', error)
  }
  const problem = problemOf(value)
  if (problem) throw damaged(path, problem)
  return value as BuildReport
}

function damaged(path: string, problem: string, cause?: unknown): WhisperHipError {
  return new WhisperHipError('ERR_NATIVE_MISSING', `The build report ${path} cannot be used: ${problem}`, {
    advice: ['Build again: npx whisper-hip build'],
    cause,
  })
}

type Check = (value: unknown) => boolean
const isText: Check = (value) => typeof value === 'string'
const isFlag: Check = (value) => typeof value === 'boolean'
const isTextOrNull: Check = (value) => value === null || isText(value)
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText)
/** A bare file name: the report must not lead a loader out of its folder. */
const isFile: Check = (value) => typeof value === 'string' && /^[\w.+-]+$/.test(value) && !/^\.+$/.test(value)
const isFiles: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(isFile)
const isFileOrNull: Check = (value) => value === null || isFile(value)
const isFileIfAny: Check = (value) => value === undefined || isFile(value)
const isKernels: Check = (value) => value === null || value === 'whisper' || value === 'all'
const isTextIfAny: Check = (value) => value === undefined || isText(value)
const isReason: Check = (value) => value === 'OK' || value === 'NOT_COMPILED'

const FIELDS: Record<string, Check> = {
  whisperHip: isText,
  whisperCpp: isText,
  ggml: isText,
  'built.addon': isFile,
  'built.base': isFile,
  'built.cpu': isFiles,
  'built.hip': isFileOrNull,
  'built.trial': isFileIfAny,
  'hip.built': isFlag,
  'hip.reason': isReason,
  'hip.message': isText,
  'hip.hipVersion': isTextOrNull,
  'hip.gpuTargets': isTexts,
  'hip.kernels': isKernels,
  'hip.rocm': isTextIfAny,
  arch: isText,
  compiler: isText,
  cmake: isText,
  flags: isText,
  portable: isFlag,
  glibc: isTextIfAny,
  sourcesHash: isText,
}

function problemOf(report: unknown): string | null {
  for (const [field, check] of Object.entries(FIELDS)) {
    const value = field
      .split('.')
      .reduce<unknown>((parent, key) => (parent as Record<string, unknown> | null | undefined)?.[key], report)
    if (!check(value)) return `the field ${field} is missing or of the wrong type`
  }
  const { built, hip } = report as BuildReport
  if ((built.hip !== null) !== hip.built) return 'the fields built.hip and hip.built contradict each other'
  return null
}
