import { printable, type Sysroot } from './sysroot.ts'

/** Who this process is, and who its user could be. */
export interface Identity {
  /** Effective user. */
  uid: number
  /** Name of the user, or null when `/etc/passwd` does not know it. */
  user: string | null
  /** Groups that the process really has. */
  groups: ReadonlySet<number>
  /** Name of a group, or null when `/etc/group` does not know it. */
  groupName(gid: number): string | null
  /** Whether `/etc/passwd` or `/etc/group` puts the user into a group: true for a new login, if not for this process. */
  isListed(gid: number): boolean
}

interface Group {
  name: string
  members: readonly string[]
}

/** Who a process of a made machine is that does not say it. */
const NOBODY = 65_534

/**
 * Reads `/proc/self/status`, `/etc/passwd` and `/etc/group`; never asks a directory service, which may be far away. A user that
 * the files do not know has the name in the variable `USER`.
 */
export function readIdentity(root: Sysroot, environment: NodeJS.ProcessEnv): Identity {
  const status = root.text('/proc/self/status') ?? ''
  const numbers = (key: string) =>
    status
      .match(new RegExp(`^${key}:([\\s\\d]*)$`, 'm'))?.[1]
      ?.split(/\s+/)
      .filter(Boolean)
      .map(Number)
  // The second number is the effective one.
  const uid = numbers('Uid')?.[1] ?? NOBODY
  const gid = numbers('Gid')?.[1] ?? NOBODY
  const account = readTable(root, '/etc/passwd').find((fields) => Number(fields[2]) === uid)
  const user = printable(account?.[0] ?? environment.USER ?? '') || null
  const groups = readGroups(root)
  return {
    uid,
    user,
    groups: new Set([gid, ...(numbers('Groups') ?? [])]),
    groupName: (id) => groups.get(id)?.name ?? null,
    isListed: (id) =>
      user !== null && (Number(account?.[3]) === id || groups.get(id)?.members.includes(user) === true),
  }
}

function readGroups(root: Sysroot): Map<number, Group> {
  const groups = new Map<number, Group>()
  for (const [name, , gid, members] of readTable(root, '/etc/group')) {
    const id = Number(gid)
    if (!name || !Number.isInteger(id) || groups.has(id)) continue
    groups.set(id, { name: printable(name), members: members?.split(',') ?? [] })
  }
  return groups
}

/** Lines of fields between colons. */
function readTable(root: Sysroot, path: string): string[][] {
  return (root.text(path) ?? '').split('\n').map((line) => line.split(':').map((field) => field.trim()))
}
