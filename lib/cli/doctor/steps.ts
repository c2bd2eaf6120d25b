import type { BackendInfo, BackendNote } from '../../index.ts'

/** A thing to do, and what else helps where it does not. */
export interface Step {
  text: string
  alternatives: readonly string[]
}

/** Reasons in the order in which their problems have to be solved: each needs what stands before it. */
const ORDER: readonly string[] = [
  // Hardware and firmware
  'UNSUPPORTED_PLATFORM',
  'NO_AMD_GPU',
  'UNSUPPORTED_GPU',
  // Driver
  'AMDGPU_DRIVER_NOT_LOADED',
  'GPU_NOT_IN_KFD_TOPOLOGY',
  'WSL_DXG_MISSING',
  // Device nodes
  'KFD_MISSING',
  'KFD_OPEN_FAILED',
  'RENDER_NODE_MISSING',
  // Groups
  'KFD_PERMISSION_DENIED',
  'RENDER_NODE_DENIED',
  // What the user chose
  'DEVICE_NOT_FOUND',
  'DEVICE_INDEX_OUT_OF_RANGE',
  'GPU_HIDDEN_BY_ENV',
  'GFX_OVERRIDE_INVALID',
  // Runtime
  'HIP_RUNTIME_MISSING',
  'HIP_RUNTIME_DAMAGED',
  'HIP_RUNTIME_VERSION_MISMATCH',
  'WSL_DXG_NOT_ENABLED',
  'WINDOWS_HIP_DLL',
  // Build
  'NATIVE_MISSING',
  'NOT_COMPILED',
  'BACKEND_LIBRARY_MISSING',
  'BACKEND_API_MISMATCH',
  'NO_CODE_OBJECT_FOR_GPU',
  'ROCBLAS_KERNELS_MISSING',
  // The trial, whatever came of it: its reasons have no others beside them
]
/** With one of these nothing else can help. */
const HOPELESS: readonly string[] = ['UNSUPPORTED_PLATFORM', 'NO_AMD_GPU', 'UNSUPPORTED_GPU']
/** Said of what has been dealt with already. */
const HARMLESS: readonly string[] = ['OTHER_GPU_WITHOUT_CODE_OBJECT']
const MOST_ALTERNATIVES = 3

/** What a piece of advice says of the step after it. */
const BUILD_AFTER = /[,;.:]*\s+(?:and\s+|then:?\s+)*(?:build\b|compile\b|npx whisper-hip build).*$/i

const COMPILE = 'Compile the GPU module: npx whisper-hip build --hip'
/** Where a package has it for the machine. */
const INSTALL = 'Install the GPU module: '

/** All that has to be done until transcriptions run on the GPU, in order; nothing where they do. */
export function stepsOf(info: BackendInfo): Step[] {
  const { active, reason, probe } = info
  if (active === 'hip' && reason === 'OK') return []
  const problems = problemsOf(info)
  const steps = withoutRepetition(problems.flatMap((problem) => stepsFor(problem, info)))
  const again = probe === null ? '' : ' --refresh'
  return [...steps, { text: `See whether it works: npx whisper-hip doctor${again}`, alternatives: [] }]
}

function problemsOf({ reason, message, advice, notes, probe }: BackendInfo): BackendNote[] {
  // Before a trial all else was right, or was of another GPU.
  const others = probe === null ? notes : notes.filter((note) => note.reason === 'GFX_OVERRIDE_INVALID')
  const all = [{ reason, message, advice }, ...others].filter((problem) => !HARMLESS.includes(problem.reason))
  // The CPU alone is something to work with, once there is an addon.
  if (reason === 'NATIVE_MISSING') return inOrder(all.filter((problem) => !HOPELESS.includes(problem.reason)))
  const hopeless = all.find((problem) => HOPELESS.includes(problem.reason))
  return hopeless === undefined ? inOrder(all) : [hopeless]
}

function inOrder(problems: readonly BackendNote[]): BackendNote[] {
  const rank = ({ reason }: BackendNote) => {
    const place = ORDER.indexOf(reason)
    return place === -1 ? ORDER.length : place
  }
  return [...problems].sort((a, b) => rank(a) - rank(b))
}

function stepsFor({ reason, advice }: BackendNote, { installations }: BackendInfo): Step[] {
  const [text, ...alternatives] = advice.filter((line) => !/earlier trial/.test(line))
  if (reason === 'NOT_COMPILED') {
    const compile = { text: COMPILE, alternatives: [] }
    if (text?.startsWith(INSTALL)) return [{ text, alternatives: [COMPILE] }]
    return installations.length === 0 ? [installStep(advice), compile] : [compile]
  }
  return text === undefined ? [] : [{ text, alternatives: alternatives.slice(0, MOST_ALTERNATIVES) }]
}

/** The build would name what is missing, and without any ROCm that is known before. */
function installStep(advice: readonly string[]): Step {
  const line =
    advice.find((line) => /^Install\b/.test(line)) ?? 'Install ROCm 6.1 or newer with its development files'
  return { text: line.replace(BUILD_AFTER, ''), alternatives: [] }
}

/** The same thing helps against several problems, most often a group. */
function withoutRepetition(steps: readonly Step[]): Step[] {
  return steps.filter(({ text }, index) => steps.findIndex((other) => other.text === text) === index)
}
