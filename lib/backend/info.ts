import { checkBoolean, checkFunction, checkOptions, checkSignal, checkString } from '../check.ts'
import { WhisperHipError } from '../errors.ts'
import { guardCallback } from '../guard-callback.ts'
import { type NodeProgram, nodeAdvice, nodeProgram, notNode } from '../host/node-program.ts'
import { messageOf } from '../kinds.ts'
import type { NativeBackends } from '../native.ts'
import { addon, type LoadedAddon, loadBackends } from './addon.ts'
import { type Decision, type Examination, examine, noteOn } from './decision.ts'
import { readLimits } from './limits.ts'
import { unpinned } from './pinned.ts'
import { type Candidate, type Preflight, preflight } from './preflight/preflight.ts'
import { REASONS } from './preflight/reasons.ts'
import type { Verdict } from './probe/index.ts'
import { endedFromOutside } from './probe/judge.ts'
import type { BackendInfo, BackendNote, BackendReason, GpuDevice, TrialProgress } from './types.ts'

/** Options of {@link backendInfo}. */
export interface BackendInfoOptions {
  /**
   * Test the GPU again, even if the verdict of an earlier trial is known.
   * @defaultValue `false`
   */
  refresh?: boolean
  /**
   * Path of the Node that tests the GPU, if the program of this process is not Node; see `nodePath` of {@link LoadOptions}.
   * @defaultValue `WHISPER_HIP_NODE`, otherwise `process.execPath`
   */
  nodePath?: string
  /**
   * Called with the progress of the trial of the GPU, if there is one. If it throws, or returns a promise that rejects, `backendInfo()`
   * rejects with that error.
   */
  onProgress?: (progress: TrialProgress) => void
  /**
   * Stops waiting for a trial: `backendInfo()` rejects with `signal.reason`. The trial continues until it has a verdict, but does not keep
   * the process alive.
   */
  signal?: AbortSignal
}

/**
 * What a model loaded now would run on, why, and what to do about it.
 *
 * It examines the machine without loading any part of ROCm. Only if it finds no problem does it test the GPU in a child process, which
 * takes a few seconds, and at most 60 s (`WHISPER_HIP_TRIAL_SECONDS`), of which one stage may take half. The verdict is kept on disk until
 * the machine restarts, or the module, ROCm, the GPUs or the environment change. A failure that the GPU did not cause, such as a signal
 * from outside, is not kept; after a missed time limit, the GPU is tested again after 5 minutes, half an hour and 6 hours. If a GPU fails,
 * the next best is tested.
 *
 * It never rejects because of what it finds: a failure is part of the answer.
 *
 * @throws {@link WhisperHipError} `ERR_INVALID_ARGUMENT` for a wrong option; or `signal.reason`
 */
export async function backendInfo(options: BackendInfoOptions = {}): Promise<BackendInfo> {
  const given = checkOptions(options, ['refresh', 'nodePath', 'onProgress', 'signal'], 'backendInfo()')
  const refresh = checkBoolean(given.refresh ?? false, 'refresh')
  const nodePath = given.nodePath === undefined ? undefined : checkString(given.nodePath, 'nodePath', 1, 4096)
  const onProgress =
    given.onProgress === undefined
      ? undefined
      : checkFunction<(progress: TrialProgress) => void>(given.onProgress, 'onProgress')
  const signal = given.signal === undefined ? undefined : checkSignal(given.signal, 'signal')
  signal?.throwIfAborted()
  let loaded: LoadedAddon | null = null
  let backends: NativeBackends | null = null
  try {
    loaded = addon()
    backends = await loadBackends()
  } catch (error) {
    return describe(await withoutAddon(error), loaded, null)
  }
  const told = guardCallback<TrialProgress>(onProgress, signal)
  const examined = await examine(loaded, { refresh, nodePath, onTrial: told.call, signal: told.signal })
  await told.end()
  return describe(examined, loaded, backends, nodePath)
}

/** The machine is looked at all the same. */
async function withoutAddon(error: unknown): Promise<Examination> {
  const environment = unpinned(process.env)
  return {
    decision: nativeMissing(error),
    found: await preflight({ build: null, environment }),
    decisive: null,
    others: [],
    limits: readLimits(environment),
  }
}

function describe(
  { decision, found, decisive, others, limits }: Examination,
  loaded: LoadedAddon | null,
  backends: NativeBackends | null,
  nodePath?: string,
): BackendInfo {
  const { gpu, ...answer } = decision
  const report = loaded?.report
  const onGpu = decision.active
  const verdict = decisive?.verdict ?? null
  const tried = decisive === null ? [] : [decisive, ...others]
  return {
    ...answer,
    notes: [
      ...others.map((gpu) => noteOn(gpu, found)),
      ...notesFor(found, decisive?.candidate ?? null),
      ...notesOf(verdict),
      ...(verdict === null || decision.reason === 'HOST_NOT_NODE' ? [] : noteOnHost(nodeProgram(nodePath))),
      ...tried.flatMap(({ verdict: { unkept } }) => (unkept === null ? [] : [notKept(unkept)])).slice(0, 1),
      ...limits.notes,
    ],
    device: gpu?.device ?? null,
    devices: found.devices.map((device) => ({ ...device, reason: reasonOf(device) })),
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
    installations: found.installations,
    libraries: {
      addon: loaded?.path ?? null,
      cpu: backends?.cpu.path ?? null,
      hip: loaded?.native.hipState().path ?? gpu?.module ?? null,
    },
    environment: found.environment,
    probe: verdict && {
      stages: verdict.outcome.stages,
      cached: verdict.cached,
      exit: exitOf(verdict),
      stderr: verdict.outcome.stderr,
    },
    components: { encoder: onGpu, decoder: onGpu, vad: 'cpu', mel: 'cpu' },
  }

  function reasonOf({ pciId, reason }: GpuDevice): BackendReason {
    const isDecisive = (decisive?.candidate ?? found.candidate)?.device.pciId === pciId
    if (reason === 'OK' && isDecisive) return decision.reason
    return others.find(({ candidate }) => candidate?.device.pciId === pciId)?.verdict.reason ?? reason
  }
}

/** What is worth knowing when this GPU is used and not the best one. */
function notesFor({ notes, candidate: best }: Preflight, used: Candidate | null): BackendInfo['notes'] {
  if (best === null || used === null) return notes
  return [...notes.filter((note) => !best.notes.includes(note)), ...used.notes]
}

/** A GPU that was tried without Node is no less good, but isolated models need one. */
function noteOnHost(node: NodeProgram): BackendNote[] {
  if (node.problem === null) return []
  const message = `There is no Node to run models with { isolation: 'process' } in: ${notNode(node, node.problem)}`
  return [{ reason: 'HOST_NOT_NODE', message, advice: nodeAdvice }]
}

function notKept(problem: string): BackendNote {
  return {
    reason: 'UNKNOWN',
    message: `The answer of the trial cannot be kept on disk, only for this process: ${problem}`,
    advice: ['Set WHISPER_HIP_CACHE to a folder that this user can write to'],
  }
}

function exitOf({ outcome: { exit } }: Verdict): string {
  switch (exit.kind) {
    case 'code':
      return `code ${exit.code}`
    case 'signal':
      return exit.signal
    case 'timeout':
      return `killed after ${exit.seconds} s`
    case 'not started':
    case 'not the program':
      return `not started: ${exit.problem}`
  }
}

/** What a trial that was passed has shown beside. */
function notesOf(verdict: Verdict | null): BackendInfo['notes'] {
  if (verdict === null || verdict.reason !== 'OK') return []
  const { exit, stderr } = verdict.outcome
  return [
    ...((exit.kind === 'code' && exit.code === 0) || endedFromOutside(exit, stderr)
      ? []
      : [
          {
            reason: 'PROBE_CRASHED' as const,
            message: `The process that tried the GPU had passed all stages and then died while it ended (${exitOf(verdict)}): a process that uses this GPU may end the same way`,
            advice: [
              "Load models with { isolation: 'process' }",
              'Update ROCm and the driver to one release',
            ],
          },
        ]),
  ]
}

function nativeMissing(error: unknown): Decision {
  const known = error instanceof WhisperHipError ? error : undefined
  return {
    active: 'cpu',
    reason: 'NATIVE_MISSING',
    message: messageOf(error),
    advice: known?.advice ?? REASONS.NATIVE_MISSING.advice.map(({ text }) => text),
    gpu: null,
  }
}
