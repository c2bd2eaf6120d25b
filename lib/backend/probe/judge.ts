import type { BackendReason, ProbeStage } from '../types.ts'
import type { ProbeExit, ProbeOutcome } from './protocol.ts'

/**
 * How long an answer holds.
 * - `until something changes`: the GPU's own doing. It computes, computes wrongly, reports a fault, or brings the process down; a second
 *   trial would say the same, and may take the machine along.
 * - `for a while`: what may be the machine's doing, or has a cure that nothing of the key of the verdict shows: a limit of time that was
 *   missed, a device that HIP did not find, kernels that are not installed. Tried again after a pause.
 * - `not`: what is not the GPU's doing. A signal from outside, memory that others hold, and all that ended before the GPU was touched.
 */
export type Keep = 'until something changes' | 'for a while' | 'not'

/** What a trial says of the GPU. */
export interface Judgement {
  reason: BackendReason
  /** One sentence. */
  message: string
  keep: Keep
}

/** What ROCm, HIP and the loader write when they fail, and what it means. The first match counts. */
const SIGNS: readonly (readonly [RegExp, BackendReason])[] = [
  [
    /memory access fault by gpu|HW Exception by GPU|GPU Hang|illegal memory access|unspecified launch failure|operation failed/i,
    'GPU_FAULT',
  ],
  [
    /rocBLAS error.*(Cannot read|Tensile)|Could not load.*TensileLibrary|hipErrorInvalidKernelFile|(HIP|CU)BLAS_STATUS_(ARCH_MISMATCH|NOT_INITIALIZED)/i,
    'ROCBLAS_KERNELS_MISSING',
  ],
  [
    /No compatible code objects|no kernel image is available|invalid device function|device kernel image is invalid/i,
    'NO_CODE_OBJECT_FOR_GPU',
  ],
  [/incompatible API version|symbol .*ggml|undefined symbol: ggml/i, 'BACKEND_API_MISMATCH'],
  [
    /undefined symbol|version `[^']+' not found|insufficient for (\w+ )?runtime/i,
    'HIP_RUNTIME_VERSION_MISMATCH',
  ],
  [
    /lib(?!ggml)[\w+-]+\.so[^ :]*: (file too short|invalid ELF header|cannot read file data|wrong ELF class)/i,
    'HIP_RUNTIME_DAMAGED',
  ],
  [
    /lib(amdhip64|hsa-runtime64|rocblas|hipblas|hipblaslt|amd_comgr|rocsolver|rocsparse)[^ ]*: cannot open shared object file/i,
    'HIP_RUNTIME_MISSING',
  ],
  [
    /cannot open shared object file|file too short|invalid ELF header|wrong ELF class|failed to find ggml_backend_init/i,
    'BACKEND_LIBRARY_MISSING',
  ],
  [/out of memory|failed to allocate|cudaMalloc failed|hipErrorOutOfMemory|OUT_OF_MEMORY/i, 'OUT_OF_MEMORY'],
  [/wrong numbers/, 'NUMERIC_MISMATCH'],
]

/** What the text of a failure says; `UNKNOWN` for nothing known. */
export function reasonOfText(text: string): BackendReason {
  return SIGNS.find(([sign]) => sign.test(text))?.[1] ?? 'UNKNOWN'
}

/** What the failure of a stage means without another sign. */
const STAGE_REASONS: Readonly<Record<string, BackendReason>> = {
  library: 'BACKEND_LIBRARY_MISSING',
  devices: 'HIP_INIT_FAILED',
  backend: 'HIP_INIT_FAILED',
}

const KEEP: Readonly<Partial<Record<BackendReason, Keep>>> = {
  OUT_OF_MEMORY: 'not',
  PROBE_INTERRUPTED: 'not',
  PROBE_TIMEOUT: 'for a while',
  HIP_INIT_FAILED: 'for a while',
  ROCBLAS_KERNELS_MISSING: 'for a while',
  UNKNOWN: 'for a while',
}

/** @param gpu how messages name it */
export function judge(outcome: ProbeOutcome, gpu: string): Judgement {
  const { reason, message } = explain(outcome, gpu)
  const keep = outcome.stages.some(touchesGpu) ? (KEEP[reason] ?? 'until something changes') : 'not'
  return { reason, message, keep }
}

/** Opening libraries does not, but for one that does not come back from it: then code of HIP runs already. */
function touchesGpu({ name, ok, problem }: ProbeStage): boolean {
  if (name === 'library') return !ok && problem === undefined
  return name !== 'cpu'
}

function explain(outcome: ProbeOutcome, gpu: string): Omit<Judgement, 'keep'> {
  const { stages, exit, stderr } = outcome
  // What ends a process may have made the numbers before it wrong.
  const wrong = stages.filter(hasWrongNumbers)
  const failed = stages.find((stage) => !stage.ok && !hasWrongNumbers(stage)) ?? wrong[0]
  const last = failed ?? stages.at(-1)
  const where = last === undefined ? 'before its first stage' : `in the stage "${last.name}"`
  const repeated = failed?.problem !== undefined && stderr.includes(failed.problem.trim())
  const said = stderr === '' || repeated ? '' : `; it wrote: ${lastLines(stderr)}`
  const written = reasonOfText(stderr)

  if (exit.kind === 'not started') {
    return {
      reason: 'PROBE_CRASHED',
      message: `The process that tries ${gpu} could not be started: ${exit.problem}`,
    }
  }
  if (exit.kind === 'not the program') {
    // What a program that is not ours has written is its own affair, but may say why.
    return { reason: 'HOST_NOT_NODE', message: `There is no Node to try ${gpu} in: ${exit.problem}${said}` }
  }
  // However it ended then: that is told beside.
  if (failed === undefined && isComplete(stages))
    return { reason: 'OK', message: `${gpu} computes what the CPU computes` }
  if (exit.kind === 'timeout') {
    const limit =
      exit.of === 'stage'
        ? `did not go on within ${exit.seconds} s ${where}`
        : `was not done within ${exit.seconds} s, which WHISPER_HIP_TRIAL_SECONDS allows for the whole of it: it was ${where}`
    return {
      // Some runtimes say what happened and then hang.
      reason: written === 'GPU_FAULT' ? written : 'PROBE_TIMEOUT',
      message: `The trial of ${gpu} ${limit}${exit.busy ? ', on a busy machine' : ''}${said}`,
    }
  }
  if (failed?.problem !== undefined) {
    const reason = reasonOfProblem(failed, stderr)
    const others = wrong.filter((stage) => stage !== failed).map(({ name }) => `"${name}"`)
    const also = others.length === 0 ? '' : `; wrong numbers also in ${listed(others)}`
    return {
      reason,
      message: `The trial of ${gpu} failed ${where}: ${oneLine(failed.problem)}${reason === 'NUMERIC_MISMATCH' ? also : said}`,
    }
  }
  const how =
    exit.kind === 'signal'
      ? `was ended by ${exit.signal || 'a signal'}${killer(exit)}`
      : `ended with code ${exit.code}`
  const message = `The process that tried ${gpu} ${how} ${where}${said}`
  if (endedFromOutside(exit, stderr) && written !== 'GPU_FAULT')
    return { reason: 'PROBE_INTERRUPTED', message }
  return { reason: written === 'UNKNOWN' ? 'PROBE_CRASHED' : written, message }
}

/** Signals that a process gets for what it does itself. Any other comes from outside: nothing of the GPU's stack sends it. */
const OF_A_CRASH = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP', 'SIGSYS']
/** For want of memory that is not the GPU's. */
const HOST_MEMORY = /javascript heap out of memory|bad_alloc|cannot allocate memory/i

/** Whether a trial was ended by somebody else, or by the machine's want of memory. */
export function endedFromOutside(exit: ProbeExit, stderr: string): boolean {
  if (exit.kind === 'signal' && !OF_A_CRASH.includes(exit.signal)) return true
  return (exit.kind === 'signal' || exit.kind === 'code') && HOST_MEMORY.test(stderr)
}

function killer({ signal, outOfMemory }: Extract<ProbeExit, { kind: 'signal' }>): string {
  if (signal !== 'SIGKILL') return ''
  return outOfMemory
    ? ', by the kernel for want of memory,'
    : ', perhaps by the kernel for want of memory (journalctl -k tells),'
}

/** The first of many, and how many more there are: one kernel at fault can be a dozen stages. */
export function listed(names: readonly string[]): string {
  const first = names.slice(0, LISTED).join(', ')
  return names.length <= LISTED ? first : `${first} and ${names.length - LISTED} more`
}
const LISTED = 5

function hasWrongNumbers({ ok, problem }: ProbeStage): boolean {
  return !ok && problem !== undefined && reasonOfText(problem) === 'NUMERIC_MISMATCH'
}

/** The name of the stage after which nothing is left to try. */
const LAST_STAGE = 'release'

function isComplete(stages: readonly ProbeStage[]): boolean {
  return stages.some(({ name, ok }) => name === LAST_STAGE && ok)
}

function reasonOfProblem({ name, problem = '' }: ProbeStage, stderr: string): BackendReason {
  const reason = reasonOfText(problem)
  if (reason !== 'UNKNOWN') return reason
  const written = reasonOfText(stderr)
  if (written !== 'UNKNOWN') return written
  return STAGE_REASONS[name] ?? 'UNKNOWN'
}

/** Enough to recognise the failure in one sentence; the whole is in the report. */
function lastLines(text: string): string {
  const line = oneLine(text)
  return line.length > 500 ? `${line.slice(0, 250)} … ${line.slice(-250)}` : line
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' | ')
}
