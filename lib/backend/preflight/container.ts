import { printable, type Sysroot } from './sysroot.ts'

/** What kind of box the process is in. */
export type ContainerKind =
  | 'docker'
  | 'podman'
  | 'kubernetes'
  | 'apptainer'
  | 'snap'
  | 'flatpak'
  | 'lxc'
  | 'nspawn'
  | 'container'

/** Where the process runs, as far as it decides what it may see of a GPU. */
export interface Surroundings {
  container: ContainerKind | null
  /** In a user namespace: numbers of users and groups differ from those outside. */
  rootless: boolean
  /** Windows Subsystem for Linux, or null. */
  wsl: 1 | 2 | null
  /** SELinux enforces its policy. */
  selinux: boolean
  /** A filter of system calls is on. */
  seccomp: boolean
  /** `/dev` has nothing but what a sandbox puts into one of its own (systemd's `PrivateDevices=`, bubblewrap, firejail). */
  ownDevices: boolean
  /** Name of the systemd unit that the process belongs to, e.g. `transcriber.service`, or null. */
  service: string | null
}

export function readSurroundings(root: Sysroot, environment: NodeJS.ProcessEnv): Surroundings {
  const container = containerOf(root, environment)
  // Elsewhere the control groups are those of the program that manages the containers.
  const hasServices = container === null || container === 'lxc' || container === 'nspawn'
  return {
    container,
    rootless: isMapped(root.text('/proc/self/uid_map')),
    wsl: wslOf(root.line('/proc/version') ?? root.line('/proc/sys/kernel/osrelease') ?? ''),
    selinux: root.line('/sys/fs/selinux/enforce') === '1',
    seccomp: /^Seccomp:\s*2$/m.test(root.text('/proc/self/status') ?? ''),
    ownDevices: hasOwnDevices(root.list('/dev')),
    service: hasServices ? serviceOf(root.text('/proc/self/cgroup') ?? '') : null,
  }
}

/** Podman and Kubernetes leave marks of Docker too: the more special box is looked for first. */
function containerOf(root: Sysroot, environment: NodeJS.ProcessEnv): ContainerKind | null {
  if (environment.KUBERNETES_SERVICE_HOST || root.exists('/var/run/secrets/kubernetes.io'))
    return 'kubernetes'
  if (environment.APPTAINER_CONTAINER || environment.SINGULARITY_CONTAINER || root.exists('/.singularity.d'))
    return 'apptainer'
  if (environment.SNAP && environment.SNAP_NAME) return 'snap'
  if (root.exists('/.flatpak-info')) return 'flatpak'
  if (root.exists('/run/.containerenv')) return 'podman'
  if (root.exists('/.dockerenv')) return 'docker'
  return containerOfManager(root, environment) ?? containerOfCgroup(root.text('/proc/1/cgroup') ?? '')
}

/** The name that container managers leave for systemd and for their children. */
function containerOfManager(root: Sysroot, environment: NodeJS.ProcessEnv): ContainerKind | null {
  const name = root.line('/run/systemd/container') ?? environment.container ?? ''
  if (name === '') return null
  if (name.startsWith('lxc')) return 'lxc'
  if (name === 'systemd-nspawn') return 'nspawn'
  return name === 'docker' || name === 'podman' ? name : name === 'wsl' ? null : 'container'
}

/** Only with version 1 of control groups, or without a cgroup namespace. */
function containerOfCgroup(text: string): ContainerKind | null {
  if (/kubepods/.test(text)) return 'kubernetes'
  if (/libpod/.test(text)) return 'podman'
  if (/\/docker[-/]|docker-[0-9a-f]{12}/.test(text)) return 'docker'
  if (/\/lxc(\.payload)?[./]/.test(text)) return 'lxc'
  return /containerd|crio/.test(text) ? 'container' : null
}

/** The first user namespace maps every number to itself. */
function isMapped(map: string | null): boolean {
  const [inside, outside] = map?.trim().split(/\s+/) ?? []
  return inside !== undefined && inside !== '' && !(inside === '0' && outside === '0')
}

const OF_SANDBOXES =
  /^(null|zero|full|u?random|tty|ptmx|pts|shm|mqueue|hugepages|log|fd|stdin|stdout|stderr|core|console|net|dri|kfd|snd|video\d*)$/

/** The real `/dev` has disks, memory and much more. */
function hasOwnDevices(names: readonly string[]): boolean {
  return names.includes('null') && names.every((name) => OF_SANDBOXES.test(name))
}

function wslOf(version: string): Surroundings['wsl'] {
  if (!/microsoft/i.test(version)) return null
  // The first WSL translates system calls and has no kernel of its own, whose name would end in WSL2.
  return /WSL2|microsoft-standard/i.test(version) ? 2 : 1
}

function serviceOf(cgroup: string): string | null {
  const unit = /\/system\.slice\/(?:[^/\n]+\.slice\/)*([^/\n]+\.service)/.exec(cgroup)?.[1]
  return unit === undefined ? null : printable(unit)
}
