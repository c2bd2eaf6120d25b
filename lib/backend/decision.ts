import { dirname, join } from 'node:path'
import { cpuModulePaths, type LoadedAddon, trialProgramPath } from './addon.ts'
import type { BuildReport } from './build-report.ts'
import { installedHipModules, type RefusedBuild } from './installed.ts'
import { type Limits, readLimits } from './limits.ts'
import { hashProblem } from './module-hash.ts'
import { packageRoot } from './package-root.ts'
import { unpinned } from './pinned.ts'
import { type HipBuild, modulePath } from './preflight/module.ts'
import { type Candidate, type Preflight, preflight, withoutModule } from './preflight/preflight.ts'
import type { Pin } from './preflight/visible-devices.ts'
import { probe, type Verdict } from './probe/index.ts'
import { listed } from './probe/judge.ts'
import type { BackendNote, BackendReason, GpuDevice, ProbeStage, TrialProgress } from './types.ts'

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
  /** Name of the verdict that says so. */
  verdict: string
}

/** A GPU that was tried. */
export interface TriedGpu {
  /** Null in WSL. */
  candidate: Candidate | null
  verdict: Verdict
}

type Answer = Pick<Decision, 'reason' | 'message' | 'advice'>

/** A decision, and all that it was made from. */
export interface Examination {
  decision: Decision
  found: Preflight
  /** The GPU that the decision is about, when it came to a trial. */
  decisive: TriedGpu | null
  /** Others that were tried. */
  others: readonly TriedGpu[]
  limits: Limits
}

/** How to decide. */
export interface DecideOptions {
  /** The option of `loadModel()`. */
  device?: number | string | undefined
  /** Try the GPU again, whatever is known. */
  refresh?: boolean
  /** The Node to try it in; by default that of `WHISPER_HIP_NODE`, else the program of this process. */
  nodePath?: string | undefined
  /** Is told what a trial does. Must not throw. */
  onTrial?: ((progress: TrialProgress) => void) | undefined
  /** Ends the waiting for a trial, which goes on without. */
  signal?: AbortSignal | undefined
}

/**
 * What a model would run on. Loads nothing of HIP into this process: the GPU is tried in another one, unless the answer is known.
 * @throws `signal.reason`
 */
export async function decide(addon: LoadedAddon, options: DecideOptions = {}): Promise<Decision> {
  const { builds } = hipBuilds(addon)
  if (builds.every((build) => modulePath(build, process.env) === null))
    return { active: 'cpu', ...withoutModule(builds[0], process.env), gpu: null }
  return (await examine(addon, options)).decision
}

/** As {@link decide}, and looks at the machine even when there is no HIP module. */
export async function examine(addon: LoadedAddon, options: DecideOptions = {}): Promise<Examination> {
  const { failure, gpu: started } = addon.native.hipState()
  const environment = unpinned(process.env)
  const limits = readLimits(environment)
  const found = await preflightOf(addon, options.device, environment)
  const { reason, message, advice, module } = found
  const withoutTrial = (answer: Omit<Decision, 'active' | 'gpu'>): Examination => ({
    decision: { ...answer, active: 'cpu', gpu: null },
    found,
    decisive: null,
    others: [],
    limits,
  })
  if (reason !== 'OK' || module === null) return withoutTrial({ reason, message, advice })
  if (failure !== null) {
    return withoutTrial({
      reason: 'CONTEXT_POISONED',
      message: `An earlier failure left the GPU unusable for this process: ${failure}`,
      advice: found.adviceFor('CONTEXT_POISONED'),
    })
  }
  const tried: TriedGpu[] = []
  const candidates = found.candidate === null ? [null] : [found.candidate, ...found.others]
  // HIP starts once in a process: where any GPU may be used, it is the one that it was started for.
  const only = candidates.find((candidate) => started !== null && candidate?.device.pciId === started)
  for (const candidate of candidates) {
    const isPassedOver = only !== undefined && candidate !== only
    const gpu = nameOf(candidate)
    const onStep = (step: string) => options.onTrial?.({ stage: 'trial', progress: 0, gpu, step })
    const verdict = await probe({
      addon,
      cpuModules: cpuModulePaths(addon),
      trialProgram: trialProgramPath(addon),
      nodePath: options.nodePath,
      found: { ...found, module },
      candidate,
      environment,
      gpu,
      refresh: options.refresh ?? false,
      seconds: limits.trialSeconds,
      knownOnly: isPassedOver,
      signal: options.signal,
      onStep,
    })
    if (verdict === null || (isPassedOver && verdict.reason === 'OK')) continue
    const step = verdict.outcome.stages.at(-1)?.name ?? 'start'
    if (!verdict.cached) options.onTrial?.({ stage: 'trial', progress: 1, gpu, step })
    tried.push({ candidate, verdict })
    if (verdict.reason === 'OK') break
  }
  const decisive = tried.find(({ verdict }) => verdict.reason === 'OK') ?? (tried[0] as TriedGpu)
  const others = tried.filter((gpu) => gpu !== decisive)
  return { decision: conclude(decisive, others, found, module), found, decisive, others, limits }
}

function conclude(
  { candidate, verdict }: TriedGpu,
  others: readonly TriedGpu[],
  found: Preflight,
  module: { path: string },
): Decision {
  const gpu = nameOf(candidate)
  if (verdict.reason !== 'OK')
    return {
      active: 'cpu',
      reason: verdict.reason,
      message: verdict.message,
      advice: adviceOn(verdict, found),
      gpu: null,
    }
  const inPlaceOf = others.map(
    (other) => `, and is used in place of ${nameOf(other.candidate)} (${other.verdict.reason})`,
  )
  const answerFor = (weightType: string | null): Answer => {
    const missing = missingOperations(verdict.outcome.stages, weightType)
    if (missing.length === 0)
      return { reason: 'OK', message: `${verdict.message}${inPlaceOf.join('')}`, advice: [] }
    return {
      reason: 'OPS_ON_CPU',
      message: `${gpu} does not support ${listed(missing)}, which would run on the CPU`,
      advice: found.adviceFor('OPS_ON_CPU'),
    }
  }
  const { device = null, pin = found.pin } = candidate ?? {}
  const choice = { module: module.path, device, pin, answerFor, verdict: verdict.name }
  return { active: 'hip', ...answerFor(null), gpu: choice }
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

/** What to say of a GPU that failed its trial when another one is used, or has failed before it. */
export function noteOn({ verdict }: TriedGpu, found: Preflight): BackendNote {
  return { reason: verdict.reason, message: verdict.message, advice: adviceOn(verdict, found) }
}

function adviceOn({ reason, cached, again }: Verdict, found: Preflight): string[] {
  const advice = [...found.adviceFor(reason)]
  if (!cached) return advice
  const next =
    again === null
      ? '. Try again when something has changed'
      : `; the GPU is tried again by itself in ${duration(again)}. To try it at once`
  const how = 'npx whisper-hip doctor --refresh, or backendInfo({ refresh: true })'
  return [...advice, `This is the answer of an earlier trial${next}: ${how}`]
}

function duration(milliseconds: number): string {
  const minutes = Math.ceil(milliseconds / 60_000)
  return minutes < 90 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`
}

function nameOf(candidate: Candidate | null): string {
  return candidate === null ? 'the GPU of Windows' : `${candidate.device.name} (${candidate.device.pciId})`
}

/** A build with the hash that its module must have; null where the build is a local one. */
interface KnownBuild extends HipBuild {
  sha256: string | null
}

/** The HIP modules that could be used, best first: that of the addon's own build, else those of packages. */
function hipBuilds({ report, path }: LoadedAddon): {
  builds: [KnownBuild, ...KnownBuild[]]
  refused: RefusedBuild[]
} {
  const own = { ...hipBuild(report, dirname(path)), sha256: null }
  if (own.module !== null) return { builds: [own], refused: [] }
  const { usable, refused } = installedHipModules(packageRoot(), report)
  const [first, ...others] = usable.map(({ name, folder, report }) => ({
    ...hipBuild(report, folder),
    rocm: null, // that of the machine that made the package
    package: name,
    sha256: report.sha256?.[report.built.hip ?? ''] ?? null,
  }))
  if (first !== undefined) return { builds: [first, ...others], refused }
  const problem = refused.map(({ problem }) => problem).join('; ')
  return { builds: [problem === '' ? own : { ...own, message: `${problem}.` }], refused }
}

/** Reasons for which the module of another ROCm is looked at. */
const OF_THE_RUNTIME: readonly BackendReason[] = ['HIP_RUNTIME_MISSING', 'HIP_RUNTIME_VERSION_MISMATCH']
/** That, and the one for which the module for other GPUs is. */
const OF_THE_MODULE: readonly BackendReason[] = [...OF_THE_RUNTIME, 'NO_CODE_OBJECT_FOR_GPU']

/** The machine as it is for the first module that fits it; where none does, for the best one. */
async function preflightOf(
  addon: LoadedAddon,
  device: number | string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<Preflight> {
  const { builds, refused } = hipBuilds(addon)
  const results: Preflight[] = []
  for (const build of builds) {
    const result = await preflight({ build: await checked(build, environment), device, environment })
    results.push(result)
    if (!OF_THE_MODULE.includes(result.reason)) break
  }
  const fitting = [OF_THE_MODULE, OF_THE_RUNTIME].flatMap(
    (reasons) => results.find(({ reason }) => !reasons.includes(reason)) ?? [],
  )
  const found = (fitting[0] ?? results[0]) as Preflight
  if (refused.length === 0 || builds[0].module === null) return found
  const notes = refused.map(({ problem }) => ({
    reason: 'BACKEND_LIBRARY_MISSING' as const,
    message: problem,
    advice: [],
  }))
  return { ...found, notes: [...found.notes, ...notes] }
}

/** A module that is not what was packed is none. */
async function checked(build: KnownBuild, environment: NodeJS.ProcessEnv): Promise<HipBuild> {
  if (build.module === null || build.sha256 === null || modulePath(build, environment) !== build.module)
    return build
  const problem = await hashProblem(build.module, build.sha256)
  return problem === null ? build : { ...build, damage: problem }
}

function hipBuild({ hip, built }: BuildReport, folder: string): HipBuild {
  return {
    message: hip.message,
    module: built.hip === null ? null : join(folder, built.hip),
    hipVersion: hip.hipVersion,
    gpuTargets: hip.gpuTargets,
    rocm: hip.rocm ?? null,
  }
}
