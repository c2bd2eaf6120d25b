import type { LoadedAddon } from '../addon.ts'
import type { Preflight } from '../preflight/preflight.ts'
import { type ProbeRequest, runProbe } from './child.ts'
import { type Judgement, judge } from './judge.ts'
import type { ProbeOutcome } from './protocol.ts'
import { readVerdict, type VerdictSubject, verdictPath, writeVerdict } from './verdict-cache.ts'

/** The answer to whether a GPU computes. */
export interface Verdict extends Judgement {
  outcome: ProbeOutcome
  /** Whether it was known before. */
  cached: boolean
}

/** Trials that run in this process, by the file of their verdict: two models that load at once share one. */
const running = new Map<string, Promise<ProbeOutcome>>()

/**
 * Tries the candidate of a preflight, or answers with the verdict that an earlier trial of the same things gave. A trial is never
 * repeated by itself: a GPU that hangs can take the machine along.
 *
 * @param environment of this process before HIP started
 * @param gpu how messages name it
 * @param refresh try it again
 */
export async function probe(
  addon: LoadedAddon,
  cpuModules: readonly string[],
  { candidate, module, rocm, devices }: Preflight & { module: object },
  environment: NodeJS.ProcessEnv,
  gpu: string,
  refresh: boolean,
): Promise<Verdict> {
  const pin = candidate?.pin ?? {}
  const subject: VerdictSubject = {
    version: addon.report.whisperHip,
    module: module.path,
    runtime: rocm?.libraries.map(({ path }) => path) ?? [],
    topology: devices.map(({ pciId, gfx, gfxEffective }) => ({ pciId, gfx, gfxEffective })),
    environment,
    pin,
  }
  const path = await verdictPath(subject)
  const known = refresh || running.has(path) ? null : await readVerdict(path)
  if (known !== null) return { ...judge(known, gpu), outcome: known, cached: true }

  const request: ProbeRequest = {
    addon: addon.path,
    cpuModules,
    hipModule: module.path,
    pciId: candidate?.device.pciId ?? null,
    pin,
  }
  const outcome = await runOnce(path, request)
  const judgement = judge(outcome, gpu)
  if (judgement.lasting) await writeVerdict(path, outcome)
  return { ...judgement, outcome, cached: false }
}

async function runOnce(path: string, request: ProbeRequest): Promise<ProbeOutcome> {
  const trial = running.get(path) ?? runProbe(request)
  running.set(path, trial)
  try {
    return await trial
  } finally {
    running.delete(path)
  }
}
