import type { BackendReason } from '../types.ts'
import type { Fact, Situation } from './reason-text.ts'
import { REASONS } from './reasons.ts'

/** The lines of advice that fit, filled in. */
export function advise(
  reason: BackendReason,
  situations: ReadonlySet<Situation>,
  facts: Partial<Record<Fact, string>>,
): string[] {
  return REASONS[reason].advice
    .filter(({ when = [] }) => when.every((condition) => holds(condition, situations)))
    .flatMap(({ text }) => fill(text, facts) ?? [])
}

/** The lines of advice that fit any machine. */
export function generalAdvice(reason: BackendReason): string[] {
  return advise(reason, new Set(), {})
}

function holds(condition: string, situations: ReadonlySet<string>): boolean {
  return condition.startsWith('!') ? !situations.has(condition.slice(1)) : situations.has(condition)
}

function fill(text: string, facts: Partial<Record<string, string>>): string | null {
  let complete = true
  const filled = text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = facts[name]
    if (value === undefined) complete = false
    return value ?? ''
  })
  return complete ? filled : null
}
