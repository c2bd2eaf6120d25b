import { nodeProgram } from '../../host/node-program.ts'
import type { LoadedAddon } from '../addon.ts'
import type { Candidate, Preflight } from '../preflight/preflight.ts'
import { pinned } from '../preflight/visible-devices.ts'
import { stillHolds, untilAgain } from './again.ts'
import { isBusy } from './busy.ts'
import { type Judgement, judge } from './judge.ts'
import type { KeptOutcome } from './kept.ts'
import { SharedTrial, type Waiting } from './shared-trial.ts'
import type { TrialRequest } from './trial.ts'
import { readVerdict, type VerdictSubject, verdictName, writeVerdict } from './verdict-cache.ts'

/** The answer to whether a GPU computes. */
export interface Verdict extends Judgement {
  /** Under which it is kept. */
  name: string
  outcome: KeptOutcome
  /** Whether it was known before. */
  cached: boolean
  /** Milliseconds until the GPU is tried again by itself; null when it is not. */
  again: number | null
  /** Why it cannot be kept on disk, or null. */
  unkept: string | null
}

export interface ProbeQuestion extends Waiting {
  addon: LoadedAddon
  cpuModules: readonly string[]
  /** Absolute path of the program that tries a GPU without Node, or null. */
  trialProgram: string | null
  /** The option that names the Node to try it in. */
  nodePath: string | undefined
  found: Preflight & { module: object }
  /** Null for the first GPU that HIP shows. */
  candidate: Candidate | null
  /** As the user set it. */
  environment: NodeJS.ProcessEnv
  /** How messages name the GPU. */
  gpu: string
  /** Try it again. */
  refresh: boolean
  /** The limit of the trial as a whole. */
  seconds: number
  /** Answer from what is known alone. */
  knownOnly: boolean
}

interface Answer {
  outcome: KeptOutcome
  unkept: string | null
}

/** Trials that run in this process, by the name of their verdict. */
const running = new Map<string, SharedTrial<Answer>>()

/**
 * Tries a GPU, or answers with the verdict that an earlier trial of the same things gave, as long as that holds.
 * @returns null when nothing is known and no trial is wanted
 * @throws `signal.reason`
 */
export async function probe(question: ProbeQuestion): Promise<Verdict | null> {
  const { environment, gpu, seconds, knownOnly } = question
  const refresh = question.refresh && !knownOnly
  const name = await verdictName(subjectOf(question))
  const known = running.has(name) ? null : await readVerdict(name)
  if (known !== null && !refresh) {
    const judgement = judge(known, gpu)
    const now = {
      time: Date.now(),
      busy: () => isBusy(environment.WHISPER_HIP_SYSROOT || '/'),
      trialSeconds: seconds,
    }
    if (stillHolds(known, judgement.keep, now)) {
      const again = untilAgain(known, judgement.keep, now.time)
      return { ...judgement, name, outcome: known, cached: true, again, unkept: null }
    }
  }
  if (knownOnly) return null
  // Whoever asks for a new trial has changed something.
  const before = refresh ? 0 : (known?.attempts ?? 0)
  const trial = running.get(name) ?? begin(name, question, before)
  const answer = await trial.wait(question)
  const judgement = judge(answer.outcome, gpu)
  const again = untilAgain(answer.outcome, judgement.keep, Date.now())
  return { ...judgement, name, ...answer, cached: false, again }
}

function begin(name: string, question: ProbeQuestion, attempts: number): SharedTrial<Answer> {
  const { gpu } = question
  const trial = new SharedTrial<Answer>(requestOf(question), async (found) => {
    const { keep } = judge(found, gpu)
    const outcome = { ...found, at: Date.now(), attempts: keep === 'for a while' ? attempts + 1 : 1 }
    const unkept = keep === 'not' ? null : await writeVerdict(name, outcome)
    running.delete(name)
    return { outcome, unkept }
  })
  running.set(name, trial)
  return trial
}

function subjectOf({ addon, found, candidate, environment }: ProbeQuestion): VerdictSubject {
  return {
    version: addon.report.whisperHip,
    module: found.module.path,
    runtime: found.rocm?.libraries.map(({ path }) => path) ?? [],
    topology: found.devices.map(({ pciId, gfx, gfxEffective }) => ({ pciId, gfx, gfxEffective })),
    gpu: candidate?.device.pciId ?? null,
    environment,
    pin: candidate?.pin ?? found.pin,
  }
}

function requestOf({
  addon,
  cpuModules,
  trialProgram,
  nodePath,
  found,
  candidate,
  environment,
  seconds,
}: ProbeQuestion): TrialRequest {
  return {
    node: nodeProgram(nodePath),
    native: trialProgram,
    addon: addon.path,
    cpuModules,
    hipModule: found.module.path,
    pciId: candidate?.device.pciId ?? null,
    environment: pinned(environment, candidate?.pin ?? found.pin),
    seconds,
  }
}
