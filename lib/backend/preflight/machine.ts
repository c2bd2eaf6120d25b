import type { BackendReason, RocmInstallation } from '../types.ts'
import { advise } from './advice.ts'
import type { MeantEnvironment } from './blank-variables.ts'
import { type ContainerKind, readSurroundings, type Surroundings } from './container.ts'
import { type Distribution, readDistribution } from './distribution.ts'
import type { Finding } from './finding.ts'
import { type Gpu, listGpus } from './gpus.ts'
import { type Identity, readIdentity } from './identity.ts'
import { findInstallations } from './installations.ts'
import { type KfdTopology, readKfdTopology } from './kfd.ts'
import type { HipModule } from './module.ts'
import { type DeviceNode, inspectNode } from './nodes.ts'
import { isAmdgpuLoaded, listPciGpus } from './pci.ts'
import type { Fact, Situation } from './reason-text.ts'
import { findRuntime, type Runtime } from './runtime.ts'
import type { Sysroot } from './sysroot.ts'
import { findTensileLibrary, type TensileLibrary } from './tensile.ts'
import { type Visibility, visibleDevices } from './visible-devices.ts'

/** All that the checks look at, read once. */
export interface Machine {
  root: Sysroot
  /** Without variables that are blank and mean nothing. */
  environment: NodeJS.ProcessEnv
  /** Names of blank variables that are unset before HIP starts. */
  blank: readonly string[]
  arch: string
  identity: Identity
  surroundings: Surroundings
  distribution: Distribution
  amdgpuLoaded: boolean
  topology: KfdTopology
  gpus: readonly Gpu[]
  /** Null on a machine without an AMD GPU: then it is not opened. */
  kfd: DeviceNode | null
  renderNodes: ReadonlyMap<string, DeviceNode>
  visibility: Visibility
  /** Every ROCm, whether the module can use it or not. */
  installations: readonly RocmInstallation[]
  /** Null when there is none, or none that can be read. */
  module: HipModule | null
  /** Null without a module. */
  runtime: Runtime | null
  /** Null when the module does not lead to rocBLAS. */
  tensile: TensileLibrary | null
}

export async function readMachine(
  root: Sysroot,
  { environment, blank }: MeantEnvironment,
  arch: string,
  module: HipModule | null,
): Promise<Machine> {
  const topology = readKfdTopology(root)
  const gpus = listGpus(root, listPciGpus(root), topology.gpus)
  const runtime = module === null ? null : findRuntime(root, environment, arch, module.library, module.rocm)
  const rocblas = runtime?.libraries.find(({ soname }) => soname.startsWith('librocblas.'))
  return {
    root,
    environment,
    blank,
    arch,
    identity: readIdentity(root, environment),
    surroundings: readSurroundings(root, environment),
    distribution: readDistribution(root),
    amdgpuLoaded: isAmdgpuLoaded(root),
    topology,
    gpus,
    kfd: gpus.length === 0 ? null : await inspectNode(root, '/dev/kfd'),
    renderNodes: await inspectRenderNodes(root, gpus),
    visibility: visibleDevices(environment, topology.gpus),
    installations: findInstallations(root, environment, arch, module?.library ?? null),
    module,
    runtime,
    tensile: rocblas === undefined ? null : findTensileLibrary(root, environment, rocblas.path),
  }
}

async function inspectRenderNodes(
  root: Sysroot,
  gpus: readonly Gpu[],
): Promise<ReadonlyMap<string, DeviceNode>> {
  const paths = new Set(gpus.flatMap(({ renderNode }) => renderNode ?? []))
  const nodes = await Promise.all([...paths].map((path) => inspectNode(root, path)))
  return new Map(nodes.map((node) => [node.path, node]))
}

/** Boxes that leave a process the groups that its user has outside. */
const SHARE_GROUPS: readonly ContainerKind[] = ['apptainer', 'snap', 'flatpak']

/** Puts a finding together: the advice that fits this machine, and this case of the reason. */
export function finding(
  machine: Pick<Machine, 'surroundings' | 'distribution' | 'gpus'>,
  reason: BackendReason,
  message: string,
  situations: readonly Situation[] = [],
  facts: Partial<Record<Fact, string>> = {},
): Finding {
  const { surroundings, distribution, gpus } = machine
  const { container, rootless, wsl, selinux, seccomp, service } = surroundings
  const all = new Set<Situation>(situations)
  if (container !== null)
    all.add('container').add(container === 'container' ? 'unknown container' : container)
  if (rootless) all.add('rootless')
  if (wsl !== null) all.add(`wsl${wsl}`)
  if (container === null && wsl === null) all.add('host')
  if (container === null || SHARE_GROUPS.includes(container)) all.add('groups of the user')
  if (selinux) all.add('selinux')
  if (seccomp) all.add('seccomp')
  if (service !== null) all.add('service')
  if (gpus.length > 1) all.add('several GPUs')
  const { family } = distribution
  if (family === 'debian' || family === 'alpine' || family === 'nixos') all.add(family)
  return { reason, message, advice: advise(reason, all, service === null ? facts : { service, ...facts }) }
}

/** How messages name a GPU. */
export function label({ name, pciId }: Pick<Gpu, 'name' | 'pciId'>): string {
  return `${name} (${pciId})`
}
