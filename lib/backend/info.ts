import { WhisperHipError } from '../errors.ts'
import type { NativeBackends } from '../native.ts'
import { addon, type LoadedAddon, loadBackends } from './addon.ts'
import { listGpus } from './devices.ts'
import type { BackendInfo, BackendReason } from './types.ts'

/** Variables that change which device is used, or how. */
const VARIABLES = [
  'AMD_LOG_LEVEL',
  'CUDA_VISIBLE_DEVICES',
  'GGML_CUDA_DISABLE_GRAPHS',
  'GGML_CUDA_ENABLE_UNIFIED_MEMORY',
  'GPU_DEVICE_ORDINAL',
  'HIP_VISIBLE_DEVICES',
  'HSA_ENABLE_DXG_DETECTION',
  'HSA_ENABLE_SDMA',
  'HSA_OVERRIDE_GFX_VERSION',
  'HSA_XNACK',
  'LD_LIBRARY_PATH',
  'ROCBLAS_TENSILE_LIBPATH',
  'ROCBLAS_USE_HIPBLASLT',
  'ROCM_PATH',
  'ROCR_VISIBLE_DEVICES',
  'WHISPER_HIP_BUILD',
]

/** Whether and why the GPU would be used, with what to do about it. */
export interface Decision {
  active: 'hip' | 'cpu'
  reason: BackendReason
  message: string
  advice: readonly string[]
}

/** What a model would run on, from the build alone: nothing of HIP is touched. */
export function decide({ report }: LoadedAddon): Decision {
  if (!report.hip.built) {
    return {
      active: 'cpu',
      reason: 'NOT_COMPILED',
      message: `This build of whisper-hip has no HIP backend: ${report.hip.message}`,
      advice: [
        'Install ROCm 6.1 or newer with its development files, then build again: WHISPER_HIP_BUILD=hip npm rebuild whisper-hip',
        "To use the CPU on purpose and without this message, load the model with { backend: 'cpu' }",
      ],
    }
  }
  return {
    active: 'cpu',
    reason: 'NOT_SUPPORTED_YET',
    message: 'The HIP backend is built, but this version of whisper-hip does not use it yet',
    advice: ["Load the model with { backend: 'cpu' }"],
  }
}

/**
 * What a model loaded now would run on, why, and what to do about it. Loads the backend modules to be able to name them.
 * Never rejects: a failure is part of the answer.
 */
export async function backendInfo(): Promise<BackendInfo> {
  let loaded: LoadedAddon
  let backends: NativeBackends
  try {
    loaded = addon()
    backends = await loadBackends()
  } catch (error) {
    return describe(null, null, nativeMissing(error))
  }
  return describe(loaded, backends, decide(loaded))
}

async function describe(
  loaded: LoadedAddon | null,
  backends: NativeBackends | null,
  decision: Decision,
): Promise<BackendInfo> {
  const report = loaded?.report
  return {
    ...decision,
    device: null,
    devices: await listGpus(decision.reason),
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
    rocm: null,
    libraries: { addon: loaded?.path ?? null, cpu: backends?.cpu.path ?? null, hip: null },
    environment: environment(),
    probe: null,
    components: { encoder: 'cpu', decoder: 'cpu', vad: 'cpu', mel: 'cpu' },
  }
}

function nativeMissing(error: unknown): Decision {
  const known = error instanceof WhisperHipError ? error : undefined
  return {
    active: 'cpu',
    reason: 'NATIVE_MISSING',
    message: error instanceof Error ? error.message : String(error),
    advice: known?.advice ?? ['Build it here: npm rebuild whisper-hip'],
  }
}

function environment(): Record<string, string> {
  const set: Record<string, string> = {}
  for (const name of VARIABLES) {
    const value = process.env[name]
    if (value !== undefined) set[name] = value
  }
  return set
}
