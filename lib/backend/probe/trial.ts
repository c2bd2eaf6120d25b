import { type NodeProgram, notNode, unmask } from '../../host/node-program.ts'
import { type ProbeRequest, startProbe, type Trial } from './child.ts'
import type { ProbeOutcome } from './protocol.ts'

export interface TrialRequest extends ProbeRequest {
  node: NodeProgram
  /** Absolute path of the program that is built beside the addon; null in a build without. */
  native: string | null
}

/**
 * Tries a GPU in Node, as the process that will use it; else in the program that is built beside the addon. That is so where it is
 * known, or turns out, that the program of this process is not Node. A Node that somebody names is the only one that is used.
 *
 * A copy of the application tries nothing: who started it waits for its end.
 */
export function startTrial(request: TrialRequest, onStep: (stage: string) => void = () => {}): Trial {
  const { node, native } = request
  const instead = node.namedBy === null && !node.isCopy ? native : null
  if (node.problem !== null)
    return instead === null
      ? refused(node, node.problem)
      : startNative(instead, node, node.problem, request, onStep)
  // It may start a second window where it is asked for Node.
  if (node.embedded && instead !== null) return startNative(instead, node, null, request, onStep)
  const first = startProbe({ kind: 'node', path: node.path }, request, onStep)
  return follow(first, async (outcome) => {
    const { exit } = outcome
    if (exit.kind !== 'not the program') return outcome
    // A busy machine may be what made it slow.
    if (!exit.busy) unmask(node, exit.problem)
    return instead === null
      ? { ...outcome, exit: { ...exit, problem: notNode(node, exit.problem) } }
      : startNative(instead, node, exit.problem, request, onStep)
  })
}

function startNative(
  path: string,
  node: NodeProgram,
  problem: string | null,
  request: TrialRequest,
  onStep: (stage: string) => void,
): Trial {
  return follow(startProbe({ kind: 'native', path }, request, onStep), async (outcome) => {
    const { exit } = outcome
    if (exit.kind !== 'not the program') return outcome
    const both = `${notNode(node, problem ?? 'it has an application inside')}, and ${path} cannot be used (${exit.problem})`
    return { ...outcome, exit: { ...exit, problem: both } }
  })
}

/** Nothing is started. */
function refused(node: NodeProgram, problem: string): Trial {
  const exit = { kind: 'not the program', problem: notNode(node, problem), busy: false } as const
  return { outcome: Promise.resolve({ stages: [], devices: [], exit, stderr: '' }), hold: () => {} }
}

/** A trial, and what comes of it: its outcome or another trial. */
function follow(first: Trial, next: (outcome: ProbeOutcome) => Promise<ProbeOutcome | Trial>): Trial {
  let current = first
  let held = true
  const outcome = first.outcome.then(async (outcome) => {
    const after = await next(outcome)
    if (!('hold' in after)) return after
    current = after
    current.hold(held)
    return current.outcome
  })
  return {
    outcome,
    hold: (on) => {
      held = on
      current.hold(on)
    },
  }
}
