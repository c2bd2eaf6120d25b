import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { messageOf } from '../../kinds.ts'
import type { BackendReason, GpuDevice, RocmInstallation } from '../types.ts'
import { advise, generalAdvice } from './advice.ts'
import { meantEnvironment } from './blank-variables.ts'
import { checkKernelFiles, checkLibraries } from './checks/damage.ts'
import { checkHardware, checkSupport, seenGpus } from './checks/hardware.ts'
import { checkDriver, checkKfd, checkRenderNode, checkTopology } from './checks/kernel.ts'
import { checkKernels, checkRuntime } from './checks/runtime.ts'
import {
  checkCode,
  checkOverride,
  checkVisibility,
  effectiveGfx,
  pin,
  selectionNotes,
} from './checks/selection.ts'
import { checkWsl } from './checks/wsl.ts'
import { readSurroundings } from './container.ts'
import { readDistribution } from './distribution.ts'
import { relevantEnvironment } from './environment.ts'
import type { Finding } from './finding.ts'
import type { Gpu } from './gpus.ts'
import { findInstallations } from './installations.ts'
import { finding, label, type Machine, readMachine } from './machine.ts'
import { type HipBuild, type HipModule, modulePath, notCompiled, readModule } from './module.ts'
import type { Fact } from './reason-text.ts'
import { allowedGpus, byPreference } from './select.ts'
import { Sysroot } from './sysroot.ts'
import { type Pin, unset } from './visible-devices.ts'
import { wantedPackage } from './wanted-package.ts'

export interface PreflightInput {
  /** What the build report says of HIP; null when there is no addon. */
  build: HipBuild | null
  /** The option of `loadModel()`. */
  device?: number | string | undefined
  /** @defaultValue `process.env` */
  environment?: NodeJS.ProcessEnv
  /** @defaultValue those of this process */
  platform?: string
  arch?: string
}

/** The GPU that may be tried. */
export interface Candidate {
  device: GpuDevice
  /** With these variables HIP sees no other GPU. */
  pin: Pin
  /** What is worth knowing when it is the one that is used. */
  notes: readonly Finding[]
}

export interface Preflight {
  /** `OK` when nothing speaks against trying the GPU. */
  reason: BackendReason
  message: string
  advice: readonly string[]
  /** Further problems, and what was done about harmless ones. */
  notes: readonly Finding[]
  /** Every AMD GPU in the order of PCI addresses. */
  devices: readonly GpuDevice[]
  /** Null unless the reason is `OK`; also null in WSL, which shows no GPU before HIP starts. */
  candidate: Candidate | null
  /** The GPUs that may be tried in its place, best first. */
  others: readonly Candidate[]
  /** With what HIP is started where there is no candidate to choose, as in WSL. */
  pin: Pin
  /** What the loader would give the module, or null. */
  rocm: { runtimeVersion: string | null; libraries: readonly { soname: string; path: string }[] } | null
  /** Every ROCm in the machine, whether the module can use it or not. */
  installations: readonly RocmInstallation[]
  /** The HIP module and the chips that it has code for, or null. */
  module: { path: string; targets: readonly string[] | null } | null
  environment: Readonly<Record<string, string>>
  /** The advice for a failure that shows later, as it fits this machine. */
  adviceFor(reason: BackendReason): readonly string[]
}

type Check = (gpu: Gpu, machine: Machine) => Finding | null

/** What the kernel must offer; without its driver none of it can be there. */
const KERNEL_CHECKS: readonly Check[] = [checkKfd, checkTopology, checkRenderNode]

/** In the order in which the problems have to be solved. */
const USER_CHECKS: readonly Check[] = [
  checkVisibility,
  (_, machine) => checkLibraries(machine),
  (_, machine) => checkRuntime(machine),
  checkOverride,
  checkCode,
  checkKernelFiles,
  checkKernels,
]

const ARCHITECTURES = ['x64', 'arm64']
/** The libraries that a report of ROCm names; the others come with the system. */
const ROCM = /^lib(amdhip64|rocblas|hipblas|hipblaslt|rocsolver|hsa-runtime64|amd_comgr)\.so/

/**
 * Finds out whether a GPU can be tried, or the one reason why not, without loading anything of ROCm, starting a process, or
 * writing anything. Takes a few milliseconds; only device nodes are opened, without blocking the event loop. Never rejects.
 */
export async function preflight(input: PreflightInput): Promise<Preflight> {
  const environment = input.environment ?? process.env
  try {
    return await examine(input, environment)
  } catch (error) {
    return {
      reason: 'UNKNOWN',
      message: `The machine cannot be examined: ${messageOf(error)}`,
      advice: advise('UNKNOWN', new Set(), {}),
      notes: [],
      devices: [],
      candidate: null,
      others: [],
      pin: {},
      rocm: null,
      installations: [],
      module: null,
      environment: relevantEnvironment(environment),
      adviceFor: generalAdvice,
    }
  }
}

async function examine(
  { build, device, platform = process.platform, arch = process.arch }: PreflightInput,
  given: NodeJS.ProcessEnv,
): Promise<Preflight> {
  const meant = meantEnvironment(given)
  const { environment } = meant
  const path = build === null ? null : modulePath(build, environment)
  const folder = environment.WHISPER_HIP_SYSROOT ?? '/'
  const root = new Sysroot(folder, path === null ? [] : [dirname(path)])
  const module = build === null || path === null ? null : readModule(root, path, build, environment, arch)
  const readable = typeof module === 'string' ? null : module
  const machine = await readMachine(root, meant, arch, readable)
  const problem =
    checkSysroot(folder, machine) ??
    checkPlatform(platform, machine) ??
    checkExhaustion(machine) ??
    checkBuild(build, path, module, machine)
  const verdict = hopeless(machine, problem) ?? judge(machine, problem, device)
  const libraries = machine.runtime?.libraries.filter(({ soname }) => ROCM.test(soname)) ?? []
  return {
    ...verdict,
    pin: unset(meant.blank),
    rocm: libraries.length === 0 ? null : { runtimeVersion: machine.runtime?.version ?? null, libraries },
    installations: machine.installations,
    module: readable && { path: readable.library.path, targets: readable.targets },
    environment: relevantEnvironment(given),
    adviceFor: (reason) => finding(machine, reason, '', [], factsOf(verdict.candidate)).advice,
  }
}

function factsOf(candidate: Candidate | null): Partial<Record<Fact, string>> {
  const { pciId, gfxEffective } = candidate?.device ?? {}
  return { ...(pciId ? { address: pciId } : {}), ...(gfxEffective ? { chip: gfxEffective } : {}) }
}

function checkSysroot(folder: string, machine: Machine): Finding | null {
  if (existsSync(folder) && statSync(folder).isDirectory()) return null
  return finding(machine, 'UNKNOWN', `WHISPER_HIP_SYSROOT=${JSON.stringify(folder)} is not a folder`)
}

function checkPlatform(platform: string, machine: Machine): Finding | null {
  if (platform === 'linux' && ARCHITECTURES.includes(machine.arch)) return null
  return finding(machine, 'UNSUPPORTED_PLATFORM', `There is no ROCm for ${platform} on ${machine.arch}`)
}

/** Where no more files can be opened, whatever is looked for seems not to be there. */
function checkExhaustion(machine: Machine): Finding | null {
  const { exhausted } = machine.root
  if (exhausted === null) return null
  const who = exhausted === 'EMFILE' ? 'this process' : 'the system'
  return finding(
    machine,
    'UNKNOWN',
    `The machine cannot be examined: ${who} has too many files open (${exhausted})`,
    ['too many files'],
  )
}

/** Reasons of a build that is of no consequence where there is no GPU for it. */
const OF_THE_MODULE: readonly BackendReason[] = ['NOT_COMPILED', 'BACKEND_LIBRARY_MISSING']

/** Where no build could use a GPU, that is the answer, not what is wrong with the build. */
function hopeless(machine: Machine, problem: Finding | null): Verdict | null {
  if (problem !== null && !OF_THE_MODULE.includes(problem.reason)) return null
  const found = checkHardware(machine)
  if (found === null) return null
  const { reason } = found
  const devices = machine.gpus.map((gpu) => describeGpu(gpu, machine, { ...found, reason }))
  return { ...found, notes: problem === null ? [] : [problem], devices, candidate: null, others: [] }
}

/** What is to be said of a build without a HIP module. Opens no device, which could wake up a sleeping GPU. */
export function withoutModule(build: HipBuild, given: NodeJS.ProcessEnv): Finding {
  const { environment } = meantEnvironment(given)
  const root = new Sysroot(environment.WHISPER_HIP_SYSROOT ?? '/')
  const gpus = seenGpus(root)
  const found = checkHardware({
    root,
    surroundings: readSurroundings(root, environment),
    distribution: readDistribution(root),
    gpus,
  })
  if (found !== null) return found
  const installations = findInstallations(root, environment, process.arch, null)
  return notCompiled(build, wantedPackage(gpus, installations, process.arch))
}

/** @param module the module, or what is wrong with it */
function checkBuild(
  build: HipBuild | null,
  path: string | null,
  module: HipModule | string | null,
  machine: Machine,
): Finding | null {
  if (build === null) return finding(machine, 'NATIVE_MISSING', 'The addon is not loaded')
  if (path === null)
    return notCompiled(build, wantedPackage(machine.gpus, machine.installations, machine.arch))
  if (typeof module !== 'string') return null
  const isNamed = Boolean(machine.environment.WHISPER_HIP_LIBRARY)
  return finding(
    machine,
    'BACKEND_LIBRARY_MISSING',
    `The HIP module ${path}${isNamed ? ', which WHISPER_HIP_LIBRARY names,' : ''} ${module}`,
    isNamed ? ['named module'] : [],
  )
}

type Verdict = Pick<Preflight, 'reason' | 'message' | 'advice' | 'notes' | 'devices' | 'candidate' | 'others'>

/** @param problem what holds for all GPUs, before anything is said of one */
function judge(machine: Machine, problem: Finding | null, device: number | string | undefined): Verdict {
  const findings = new Map(machine.gpus.map((gpu) => [gpu, problemsOf(gpu, machine)]))
  const describe = (gpu: Gpu) => describeGpu(gpu, machine, findings.get(gpu)?.[0] ?? problem)
  const devices = machine.gpus.map(describe)
  const because = (all: readonly Finding[]): Verdict => {
    const [first = unknown(machine), ...notes] = withoutRepetition(all)
    return { ...first, notes, devices, candidate: null, others: [] }
  }

  if (machine.gpus.length === 0) {
    const others = [problem, ...withoutGpu(machine)].filter((other) => other !== null)
    if (others.length > 0) return because(others)
    const message = 'Nothing speaks against trying the GPU of Windows'
    return { reason: 'OK', message, advice: [], notes: [], devices, candidate: null, others: [] }
  }
  const allowed = problem === null ? allowedGpus(machine, device) : byPreference(machine.gpus)
  if (!Array.isArray(allowed)) return because([allowed])
  const usable = problem === null ? allowed.filter((gpu) => findings.get(gpu)?.length === 0) : []
  const [chosen, ...rest] = usable
  if (chosen === undefined) {
    const best = allowed[0]
    return because([...(problem ? [problem] : []), ...((best && findings.get(best)) ?? [])])
  }
  const asCandidate = (gpu: Gpu): Candidate => ({
    device: describe(gpu),
    pin: pin(gpu, machine),
    notes: selectionNotes(gpu, machine),
  })
  const candidate = asCandidate(chosen)
  const better = allowed.slice(0, allowed.indexOf(chosen)).flatMap((gpu) => findings.get(gpu)?.[0] ?? [])
  return {
    reason: 'OK',
    message: `Nothing speaks against trying ${label(chosen)}`,
    advice: [],
    notes: [...better, ...candidate.notes],
    devices,
    candidate,
    others: rest.map(asCandidate),
  }
}

function problemsOf(gpu: Gpu, machine: Machine): Finding[] {
  const unsupported = checkSupport(gpu, machine)
  if (unsupported !== null) return [unsupported]
  const driver = checkDriver(gpu, machine)
  const checks = [...(driver === null ? KERNEL_CHECKS : []), ...USER_CHECKS]
  return [...(driver === null ? [] : [driver]), ...checks.flatMap((check) => check(gpu, machine) ?? [])]
}

/** On a machine that shows no GPU. */
function withoutGpu(machine: Machine): Finding[] {
  const problems =
    machine.surroundings.wsl === null
      ? [checkHardware(machine)]
      : [checkWsl(machine), checkLibraries(machine), checkRuntime(machine)]
  return problems.filter((problem) => problem !== null)
}

/** A later check can find what an earlier one has said already. */
function withoutRepetition(findings: readonly Finding[]): Finding[] {
  return findings.filter(
    ({ reason }, index) => findings.findIndex((other) => other.reason === reason) === index,
  )
}

function unknown(machine: Machine): Finding {
  return finding(machine, 'UNKNOWN', 'The GPU cannot be used, and no check says why')
}

function describeGpu(gpu: Gpu, machine: Machine, problem: Finding | null): GpuDevice {
  return {
    index: gpu.index,
    name: gpu.name,
    gfx: gpu.kfd?.gfx ?? null,
    gfxEffective: effectiveGfx(gpu, machine),
    pciId: gpu.pciId,
    integrated: gpu.integrated,
    memoryTotal: gpu.memoryTotal,
    memoryFree: gpu.memoryFree,
    reason: problem?.reason ?? 'OK',
  }
}
