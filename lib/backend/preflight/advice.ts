import type { BackendReason } from '../types.ts'
import { REASONS } from './reasons.ts'

/** What can hold of a machine or of a failure, and decides which advice fits. */
export type Situation =
  // Where the process runs
  | 'host'
  | 'groups of the user'
  | 'docker'
  | 'podman'
  | 'kubernetes'
  | 'apptainer'
  | 'snap'
  | 'flatpak'
  | 'lxc'
  | 'nspawn'
  | 'container'
  | 'unknown container'
  | 'rootless'
  | 'wsl1'
  | 'wsl2'
  | 'selinux'
  | 'service'
  // Distribution
  | 'debian'
  | 'alpine'
  | 'nixos'
  // Permission
  | 'outside its group'
  | 'listed in its group'
  | 'closed to groups'
  | 'permitted'
  | 'device cgroup'
  // The failure itself
  | 'folder instead of device'
  | 'vfio'
  | 'other driver'
  | 'driver not loaded'
  | 'several GPUs'
  | 'named module'
  | 'installed elsewhere'
  | 'cache is old'
  | 'mixture'
  | 'bridge installed'
  | 'override'
  | 'override not needed'
  | 'named kernels'
  | 'similar GPU'

/** What is filled into a template. A line of advice with a placeholder that has no value is left out. */
export type Fact =
  | 'address'
  | 'chip'
  | 'devices'
  | 'folder'
  | 'gid'
  | 'group'
  | 'hipVersion'
  | 'install'
  | 'node'
  | 'override'
  | 'overrideVariable'
  | 'path'
  | 'service'
  | 'user'
  | 'variable'

/** One line of advice. */
export interface Advice {
  /** Situations that all must hold, or with `!` before them must not. */
  when?: readonly (Situation | `!${Situation}`)[]
  /** With placeholders such as `{group}`. */
  text: string
}

/** A reason as data: what the page `docs/reasons.md` shows, and what {@link advise} chooses from. */
export interface ReasonText {
  /** One sentence. */
  meaning: string
  /** What is usually behind it. */
  cause: string
  /** Most likely first. */
  advice: readonly Advice[]
}

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
