import { dirname, join } from 'node:path'
import { WhisperHipError } from '../errors.ts'
import type { NativeBackends } from '../native.ts'
import { addon, type LoadedAddon, loadBackends } from './addon.ts'
import type { BuildReport } from './build-report.ts'
import { type HipBuild, modulePath, notCompiled } from './preflight/module.ts'
import { type Preflight, preflight } from './preflight/preflight.ts'
import { REASONS } from './preflight/reasons.ts'
import type { BackendInfo, BackendReason } from './types.ts'

/** Whether and why the GPU would be used, with what to do about it. */
export interface Decision {
  active: 'hip' | 'cpu'
  reason: BackendReason
  message: string
  advice: readonly string[]
}

/**
 * What a model would run on: nothing of HIP is loaded.
 * @param device the option of `loadModel()`
 */
export async function decide(loaded: LoadedAddon, device?: number | string): Promise<Decision> {
  const build = hipBuild(loaded.report, loaded.path)
  // Without HIP nothing else matters: no device is opened, which could wake up a sleeping GPU.
  if (modulePath(build, process.env) === null) return { active: 'cpu', ...notCompiled(build) }
  return decisionOf(await preflight({ build, device }))
}

/**
 * What a model loaded now would run on, why, and what to do about it. Loads the backend modules to be able to name them, and
 * looks at the machine without loading anything of ROCm. Never rejects: a failure is part of the answer.
 */
export async function backendInfo(): Promise<BackendInfo> {
  let loaded: LoadedAddon | null = null
  let backends: NativeBackends | null = null
  let failure: Decision | null = null
  try {
    loaded = addon()
    backends = await loadBackends()
  } catch (error) {
    failure = nativeMissing(error)
  }
  const report = loaded?.report
  const found = await preflight({
    build: failure === null && loaded ? hipBuild(loaded.report, loaded.path) : null,
  })
  const decision = failure ?? decisionOf(found)
  return {
    ...decision,
    notes: found.notes,
    device: null,
    devices: found.devices.map((device) => ({
      ...device,
      reason: device.reason === 'OK' ? decision.reason : device.reason,
    })),
    build: report
      ? {
          hip: report.hip.built,
          hipVersion: report.hip.hipVersion,
          gpuTargets: report.hip.gpuTargets,
          whisperCpp: report.whisperCpp,
          ggml: report.ggml,
          compiler: report.compiler,
          portable: report.portable,
        }
      : null,
    rocm: found.rocm,
    libraries: { addon: loaded?.path ?? null, cpu: backends?.cpu.path ?? null, hip: null },
    environment: found.environment,
    probe: null,
    components: { encoder: 'cpu', decoder: 'cpu', vad: 'cpu', mel: 'cpu' },
  }
}

function hipBuild({ hip, built }: BuildReport, addonPath: string): HipBuild {
  return {
    message: hip.message,
    module: built.hip === null ? null : join(dirname(addonPath), built.hip),
    hipVersion: hip.hipVersion,
    gpuTargets: hip.gpuTargets,
  }
}

function decisionOf({ reason, message, advice, candidate }: Preflight): Decision {
  if (reason !== 'OK') return { active: 'cpu', reason, message, advice }
  const gpu =
    candidate === null ? 'the GPU of Windows' : `${candidate.device.name} (${candidate.device.pciId})`
  return {
    active: 'cpu',
    reason: 'NOT_SUPPORTED_YET',
    message: `Nothing speaks against ${gpu}, but this version does not run the GPU probe yet`,
    advice: REASONS.NOT_SUPPORTED_YET.advice.map(({ text }) => text),
  }
}

function nativeMissing(error: unknown): Decision {
  const known = error instanceof WhisperHipError ? error : undefined
  return {
    active: 'cpu',
    reason: 'NATIVE_MISSING',
    message: error instanceof Error ? error.message : String(error),
    advice: known?.advice ?? REASONS.NATIVE_MISSING.advice.map(({ text }) => text),
  }
}
