import type { BackendReason } from '../types.ts'
import type { ReasonText } from './reason-text.ts'
import { buildReasons } from './reasons/build.ts'
import { kernelReasons } from './reasons/kernel.ts'
import { runReasons } from './reasons/run.ts'
import { runtimeReasons } from './reasons/runtime.ts'
import { selectionReasons } from './reasons/selection.ts'
import { trialReasons } from './reasons/trial.ts'
import { windowsReasons } from './reasons/windows.ts'

/** Every reason, in the order in which they are looked for. */
export const REASON_GROUPS = [
  { title: 'Build and packaging', reasons: buildReasons },
  { title: 'Kernel and device nodes', reasons: kernelReasons },
  { title: 'Windows', reasons: windowsReasons },
  { title: 'Selection and environment', reasons: selectionReasons },
  { title: 'The ROCm runtime', reasons: runtimeReasons },
  { title: 'The trial of the GPU', reasons: trialReasons },
  { title: 'A model or a run', reasons: runReasons },
] as const

/** What each reason means, what is behind it, and what to do. */
export const REASONS: Readonly<Record<BackendReason, ReasonText>> = {
  ...buildReasons,
  ...kernelReasons,
  ...windowsReasons,
  ...selectionReasons,
  ...runtimeReasons,
  ...trialReasons,
  ...runReasons,
}
