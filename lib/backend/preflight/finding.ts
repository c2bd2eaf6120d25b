import type { BackendReason } from '../types.ts'

/** A problem, or something worth knowing. */
export interface Finding {
  reason: BackendReason
  message: string
  advice: readonly string[]
}
