import { isError } from '../kinds.ts'
import { dropVerdict } from './probe/verdict-cache.ts'
import type { BackendReason } from './types.ts'

/** Name of the verdict by which this process uses its GPU. */
let trusted: string | undefined

/** A GPU is used because of this verdict. */
export function trustVerdict(name: string): void {
  trusted = name
}

/** Reasons with which a job shows that the GPU is not sound. */
const UNSOUND: readonly unknown[] = [
  'GPU_RESULT_INVALID',
  'CONTEXT_POISONED',
  'GPU_FAULT',
] satisfies BackendReason[]

/**
 * After the error of a job: where it shows that the GPU is not sound, the good verdict is dropped, so that the GPU is tried again
 * before it is used again, by this process or the next.
 */
export function distrustAfter(error: unknown): void {
  if (trusted === undefined || !isError(error) || !('reason' in error)) return
  if (!UNSOUND.includes(error.reason)) return
  dropVerdict(trusted)
  trusted = undefined
}
