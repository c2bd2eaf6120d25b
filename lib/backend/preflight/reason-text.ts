import type { ContainerKind } from './container.ts'

/** What can hold of a machine or of a failure, and decides which advice fits. */
export type Situation =
  // Where the process runs
  | 'host'
  | 'groups of the user'
  | ContainerKind
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
  | 'blank variable'
  | 'empty list'
  | 'too many files'
  | 'hidden sysfs'
  | 'private devices'
  | 'own devices'
  | 'seccomp'
  | 'blocked at boot'
  | 'blocked in modprobe.d'
  | 'not by hand'
  | 'installed in part'
  | 'Python packages'
  | 'old archive'
  | 'other archive'
  | 'unreadable'
  | 'pointer of Git LFS'
  | 'in LD_LIBRARY_PATH'

/** What is filled into a template. A line of advice with a placeholder that has no value is left out. */
export type Fact =
  | 'address'
  | 'archive'
  | 'block'
  | 'chip'
  | 'devices'
  | 'distribution'
  | 'folder'
  | 'gid'
  | 'group'
  | 'hipVersion'
  | 'install'
  | 'libraryFolder'
  | 'line'
  | 'node'
  | 'override'
  | 'overrideVariable'
  | 'package'
  | 'path'
  | 'reinstall'
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

/** A reason as data: what the page `docs/reasons.md` shows, and what `advise()` chooses from. */
export interface ReasonText {
  /** One sentence. */
  meaning: string
  /** What is usually behind it. */
  cause: string
  /** Most likely first. */
  advice: readonly Advice[]
}
