import { dirname, join } from 'node:path'
import { cpuModulePaths, type LoadedAddon } from './addon.ts'
import type { BuildReport } from './build-report.ts'
import { type HipBuild, modulePath } from './preflight/module.ts'
import { type Preflight, preflight, withoutModule } from './preflight/preflight.ts'
import type { Pin } from './preflight/visible-devices.ts'
import { probe, type Verdict } from './probe/index.ts'
import { listed } from './probe/judge.ts'
import type { BackendReason, GpuDevice, ProbeStage } from './types.ts'

/** Whether and why the GPU would be used, with what to do about it. */
export interface Decision {
  active: 'hip' | 'cpu'
  reason: BackendReason
  message: string
  advice: readonly string[]
  /** What to start; null unless `active` is `hip`. */
  gpu: GpuChoice | null
}

/** A GPU that has been tried and computes. */
export interface GpuChoice {
  /** Absolute path of the HIP module. */
  module: string
  /** Null in WSL, which shows no GPU before HIP starts. */
  device: GpuDevice | null
  /** Variables to set before HIP starts, or with null to unset. */
  pin: Pin
  /** Whether it does all of the work of a model with weights of this type, as `ModelInfo.weightType` has it; null for any type. */
  answerFor: (weightType: string | null) => Answer
}

type Answer = Pick<Decision, 'reason' | 'message' | 'advice'>

/** A decision, and all that it was made from. */
export interface Examination {
  decision: Decision
  found: Preflight
  verdict: Verdict | null
}

/**
 * What a model would run on. Loads nothing of HIP into this process: the GPU is tried in another one, unless the answer is known.
 * @param device the option of `loadModel()`
 */
export async function decide(addon: LoadedAddon, device?: number | string): Promise<Decision> {
  const build = hipBuild(addon.report, addon.path)
  if (modulePath(build, process.env) === null)
    return { active: 'cpu', ...withoutModule(build, process.env), gpu: null }
  return (await examine(addon, { device })).decision
}

/** As {@link decide}, and looks at the machine even when there is no HIP module. */
export async function examine(
  addon: LoadedAddon,
  { device, refresh = false }: { device?: number | string | undefined; refresh?: boolean },
): Promise<Examination> {
  const { replaced, failure } = addon.native.hipState()
  const build = hipBuild(addon.report, addon.path)
  const environment = environmentBefore(replaced)
  const found = await preflight({ build, device, environment })
  const { reason, message, advice, candidate, module } = found
  const onCpu = (
    decision: Omit<Decision, 'active' | 'gpu'>,
    verdict: Verdict | null = null,
  ): Examination => ({
    decision: { ...decision, active: 'cpu', gpu: null },
    found,
    verdict,
  })
  if (reason !== 'OK' || module === null) return onCpu({ reason, message, advice })
  if (failure !== null) {
    return onCpu({
      reason: 'CONTEXT_POISONED',
      message: `An earlier failure left the GPU unusable for this process: ${failure}`,
      advice: found.adviceFor('CONTEXT_POISONED'),
    })
  }
  const gpu =
    candidate === null ? 'the GPU of Windows' : `${candidate.device.name} (${candidate.device.pciId})`
  const verdict = await probe(addon, cpuModulePaths(addon), { ...found, module }, environment, gpu, refresh)
  if (verdict.reason !== 'OK') {
    const advice = [...found.adviceFor(verdict.reason), ...(verdict.cached ? [AGAIN] : [])]
    return onCpu({ reason: verdict.reason, message: verdict.message, advice }, verdict)
  }
  const answerFor = (weightType: string | null): Answer => {
    const missing = missingOperations(verdict.outcome.stages, weightType)
    if (missing.length === 0) return { reason: 'OK', message: verdict.message, advice: [] }
    return {
      reason: 'OPS_ON_CPU',
      message: `${gpu} does not support ${listed(missing)}, which would run on the CPU`,
      advice: found.adviceFor('OPS_ON_CPU'),
    }
  }
  const choice = {
    module: module.path,
    device: candidate?.device ?? null,
    pin: candidate?.pin ?? {},
    answerFor,
  }
  return { decision: { active: 'hip', ...answerFor(null), gpu: choice }, found, verdict }
}

/** Names of the operations that the GPU does not offer, of those that a model has. */
function missingOperations(stages: readonly ProbeStage[], weightType: string | null): string[] {
  return stages
    .filter(({ unsupported }) => unsupported)
    .filter(
      ({ weights }) => weights === undefined || weightType === null || weights.toLowerCase() === weightType,
    )
    .map(({ name }) => name)
}

const AGAIN =
  'This is the answer of an earlier trial. Try again when something has changed: whisper-hip doctor --refresh, or backendInfo({ refresh: true })'

/** The variables as the user set them: starting HIP has set some to leave one GPU visible. */
export function environmentBefore(replaced: Readonly<Record<string, string | null>>): NodeJS.ProcessEnv {
  const environment = { ...process.env }
  for (const [name, value] of Object.entries(replaced)) {
    if (value === null) delete environment[name]
    else environment[name] = value
  }
  return environment
}

function hipBuild({ hip, built }: BuildReport, addonPath: string): HipBuild {
  return {
    message: hip.message,
    module: built.hip === null ? null : join(dirname(addonPath), built.hip),
    hipVersion: hip.hipVersion,
    gpuTargets: hip.gpuTargets,
    rocm: hip.rocm ?? null,
  }
}
