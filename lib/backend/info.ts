import { checkBoolean, checkOptions } from '../check.ts'
import { WhisperHipError } from '../errors.ts'
import type { NativeBackends } from '../native.ts'
import { addon, type LoadedAddon, loadBackends } from './addon.ts'
import { type Decision, type Examination, examine } from './decision.ts'
import { preflight } from './preflight/preflight.ts'
import { REASONS } from './preflight/reasons.ts'
import type { Verdict } from './probe/index.ts'
import type { BackendInfo } from './types.ts'

/** Options of {@link backendInfo}. */
export interface BackendInfoOptions {
  /**
   * Try the GPU again, also when the answer of an earlier trial is known.
   * @defaultValue `false`
   */
  refresh?: boolean
}

/**
 * What a model loaded now would run on, why, and what to do about it.
 *
 * Looks at the machine without loading anything of ROCm. Only when nothing speaks against the GPU, it is tried in a child process,
 * which takes a second or a few, at most 30 s for one stage; the answer is kept on disk until the machine starts again, or the
 * module, ROCm, the GPUs or the environment change.
 *
 * Never rejects for what it finds: a failure is part of the answer.
 *
 * @throws {@link WhisperHipError} `ERR_INVALID_ARGUMENT` for a wrong option
 */
export async function backendInfo(options: BackendInfoOptions = {}): Promise<BackendInfo> {
  const given = checkOptions(options, ['refresh'], [], 'backendInfo()')
  const refresh = checkBoolean(given.refresh ?? false, 'refresh')
  let loaded: LoadedAddon | null = null
  let backends: NativeBackends | null = null
  try {
    loaded = addon()
    backends = await loadBackends()
  } catch (error) {
    return describe(await withoutAddon(error), loaded, null)
  }
  return describe(await examine(loaded, { refresh }), loaded, backends)
}

/** The machine is looked at all the same. */
async function withoutAddon(error: unknown): Promise<Examination> {
  return { decision: nativeMissing(error), found: await preflight({ build: null }), verdict: null }
}

function describe(
  { decision, found, verdict }: Examination,
  loaded: LoadedAddon | null,
  backends: NativeBackends | null,
): BackendInfo {
  const { gpu, ...answer } = decision
  const report = loaded?.report
  const onGpu = decision.active
  return {
    ...answer,
    notes: [...found.notes, ...notesOf(verdict)],
    device: gpu?.device ?? null,
    devices: found.devices.map((device) => ({
      ...device,
      // Nothing spoke against it before the trial.
      reason:
        device.reason === 'OK' && device.pciId === found.candidate?.device.pciId
          ? decision.reason
          : device.reason,
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
      return `not started: ${exit.problem}`
  }
}

/** What a trial that was passed has shown beside. */
function notesOf(verdict: Verdict | null): BackendInfo['notes'] {
  if (verdict === null || verdict.reason !== 'OK') return []
  const { exit } = verdict.outcome
  return [
    ...(exit.kind === 'code' && exit.code === 0
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
    message: error instanceof Error ? error.message : String(error),
    advice: known?.advice ?? REASONS.NATIVE_MISSING.advice.map(({ text }) => text),
    gpu: null,
  }
}
