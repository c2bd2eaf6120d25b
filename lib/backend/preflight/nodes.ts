import type { Surroundings } from './container.ts'
import type { Identity } from './identity.ts'
import type { Fact, Situation } from './reason-text.ts'
import type { FileStat, Sysroot } from './sysroot.ts'

/** A device node, and what came of opening it. */
export interface DeviceNode {
  path: string
  /** Null if it opens for reading and writing, else an error number such as `EACCES`. */
  errno: string | null
  stat: FileStat | null
}

export async function inspectNode(root: Sysroot, path: string): Promise<DeviceNode> {
  return { path, errno: (await root.openDevice(path))?.errno ?? null, stat: root.stat(path) }
}

/** Nothing is in that place, or nothing that could be opened. */
export function isAbsent({ errno }: DeviceNode): boolean {
  return errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP'
}

export function isDenied({ errno }: DeviceNode): boolean {
  return errno === 'EACCES' || errno === 'EPERM'
}

/** What is to be said of a node that could not be opened because too many files are; null for another cause. */
export function describeExhaustion({ errno }: DeviceNode): string | null {
  if (errno === 'EMFILE') return 'this process has too many files open (EMFILE)'
  return errno === 'ENFILE' ? 'the system has too many files open (ENFILE)' : null
}

/** Why a node may not be opened. */
export interface Denial {
  /** The second half of a sentence: whose the device is, and who asks. */
  text: string
  situations: Situation[]
  facts: Partial<Record<Fact, string>>
}

/** The group of files whose real group does not exist in this user namespace. */
const UNMAPPED = 65_534

/** Compares the owner of a node with the process that may not open it. */
export function explainDenial(
  { path, errno, stat }: DeviceNode,
  identity: Identity,
  { rootless }: Pick<Surroundings, 'rootless'>,
): Denial {
  const user = identity.user ?? `uid ${identity.uid}`
  const facts: Denial['facts'] = { path, user: identity.user ?? '$USER' }
  if (errno === 'EPERM')
    return {
      text: `the device cgroup of this process does not allow it`,
      situations: ['device cgroup'],
      facts,
    }
  if (stat === null) return { text: `${user} may not see it`, situations: [], facts }

  const mode = `mode ${stat.mode.toString(8).padStart(4, '0')}`
  if (isAllowed(stat, identity, rootless))
    return { text: `although its ${mode} would allow it to ${user}`, situations: ['permitted'], facts }
  const isUnmapped = rootless && stat.gid === UNMAPPED
  const name = isUnmapped ? null : identity.groupName(stat.gid)
  const group = isUnmapped
    ? 'a group that this user namespace does not have'
    : `the group ${name === null ? stat.gid : `${name} (${stat.gid})`}`
  const owner = `it belongs to ${group} with ${mode}`
  if (stat.gid === 0 || (stat.mode & 0o060) !== 0o060)
    return { text: `${owner}, which is open to root only`, situations: ['closed to groups'], facts }

  const situations: Situation[] = ['outside its group']
  if (!isUnmapped) Object.assign(facts, { gid: String(stat.gid), group: name ?? String(stat.gid) })
  if (!isUnmapped && identity.isListed(stat.gid)) {
    situations.push('listed in its group')
    return {
      text: `${owner}; /etc/group has ${user} in it, but this process was started without it`,
      situations,
      facts,
    }
  }
  return { text: `${owner}, and this process of ${user} is not in that group`, situations, facts }
}

/** The root of a user namespace has no rights over devices, which belong to the world outside. */
function isAllowed({ mode, uid, gid }: FileStat, identity: Identity, rootless: boolean): boolean {
  if (identity.uid === 0 && !rootless) return true
  const bits = identity.uid === uid ? mode >> 6 : identity.groups.has(gid) ? mode >> 3 : mode
  return (bits & 6) === 6
}
