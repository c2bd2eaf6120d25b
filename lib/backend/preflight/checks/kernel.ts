import type { Finding } from '../finding.ts'
import type { Gpu } from '../gpus.ts'
import { finding, label, type Machine } from '../machine.ts'
import { findBlocks } from '../module-blocks.ts'
import { describeExhaustion, explainDenial, isAbsent, isDenied } from '../nodes.ts'
import type { Situation } from '../reason-text.ts'

/** Checks of the kernel's side: driver, device nodes, topology. Each gives the first thing that is wrong for one GPU. */

export function checkDriver(gpu: Gpu, machine: Machine): Finding | null {
  // Without a link the card may be driven all the same, where sysfs is shown in part.
  if (gpu.pci === null || gpu.kfd !== null) return null
  const { driver, renderNode } = gpu.pci
  if (driver === 'amdgpu' || (driver === null && renderNode !== null)) return null
  const found = (
    message: string,
    situations: Situation[],
    facts: Partial<Record<'block' | 'line' | 'path', string>> = {},
  ) => finding(machine, 'AMDGPU_DRIVER_NOT_LOADED', message, situations, facts)
  if (driver === 'vfio-pci')
    return found(`${label(gpu)} is held by the driver vfio-pci, which passes it to a virtual machine`, [
      'vfio',
    ])
  if (driver !== null)
    return found(`${label(gpu)} is held by the driver ${driver} instead of amdgpu`, ['other driver'])
  const { message, situations, facts } = describeBlocks(machine)
  return machine.amdgpuLoaded
    ? found(`The driver amdgpu is loaded, but it did not take ${label(gpu)}${message}`, situations, facts)
    : found(
        `No driver holds ${label(gpu)}: amdgpu is not loaded (there is no /sys/module/amdgpu)${message}`,
        ['driver not loaded', ...situations],
        facts,
      )
}

/** Who forbids the driver, as the end of a sentence. */
function describeBlocks({ root }: Machine) {
  const blocks = findBlocks(root)
  const atBoot = blocks.filter(({ path }) => path === '/proc/cmdline')
  const inFile = blocks.find(({ path }) => path !== '/proc/cmdline')
  const situations: Situation[] = []
  if (atBoot.length > 0) situations.push('blocked at boot')
  if (inFile !== undefined) situations.push('blocked in modprobe.d')
  if (blocks.some(({ always }) => always)) situations.push('not by hand')
  const said = blocks.map(({ text, place }) => `\`${text}\` (${place})`).join(' and ')
  return {
    message: blocks.length === 0 ? '' : `, which ${said} ${blocks.length === 1 ? 'forbids' : 'forbid'}`,
    situations,
    facts: {
      ...(atBoot.length === 0 ? {} : { block: atBoot.map(({ text }) => text).join(' ') }),
      ...(inFile === undefined ? {} : { line: inFile.text, path: inFile.path }),
    },
  }
}

export function checkKfd(_gpu: Gpu, machine: Machine): Finding | null {
  const { kfd, surroundings, topology } = machine
  if (kfd === null || kfd.errno === null) return null
  if (isAbsent(kfd)) {
    const { cause, situations } = whyDeviceIsMissing(machine, 'the device')
    const kernel = topology.present ? 'although the kernel has KFD' : 'the kernel has no KFD'
    return finding(machine, 'KFD_MISSING', `/dev/kfd does not exist: ${cause ?? kernel}`, situations)
  }
  if (isDenied(kfd)) {
    const { text, situations, facts } = explainDenial(kfd, machine.identity, surroundings)
    return finding(
      machine,
      'KFD_PERMISSION_DENIED',
      `/dev/kfd may not be opened (${kfd.errno}): ${text}`,
      situations,
      facts,
    )
  }
  const exhausted = describeExhaustion(kfd)
  if (exhausted !== null)
    return finding(machine, 'KFD_OPEN_FAILED', `/dev/kfd cannot be opened: ${exhausted}`, ['too many files'])
  const isMount = kfd.errno === 'EISDIR' || kfd.errno === 'ENODEV'
  return finding(
    machine,
    'KFD_OPEN_FAILED',
    isMount
      ? `/dev/kfd cannot be opened (${kfd.errno}): it is not the device of the driver`
      : `/dev/kfd cannot be opened: the driver answers ${kfd.errno}`,
    isMount ? ['folder instead of device'] : [],
    { path: kfd.path },
  )
}

export function checkTopology(gpu: Gpu, machine: Machine): Finding | null {
  if (gpu.kfd !== null || (machine.kfd !== null && isAbsent(machine.kfd) && !machine.topology.present))
    return null
  const [denied] = machine.topology.denied
  if (denied !== undefined) {
    const node = gpu.renderNode === null ? null : machine.renderNodes.get(gpu.renderNode)
    if (node?.errno === 'ENOENT') return null // The next check says it better.
    return finding(
      machine,
      'RENDER_NODE_DENIED',
      `${label(gpu)} is hidden by the device cgroup of this process, which denies its render node (${denied} cannot be read)`,
      ['device cgroup'],
      { path: gpu.renderNode ?? '/dev/dri' },
    )
  }
  return finding(
    machine,
    'GPU_NOT_IN_KFD_TOPOLOGY',
    `amdgpu drives ${label(gpu)}, but KFD skipped it: it is not in /sys/class/kfd/kfd/topology/nodes`,
  )
}

export function checkRenderNode(gpu: Gpu, machine: Machine): Finding | null {
  const node = gpu.renderNode === null ? undefined : machine.renderNodes.get(gpu.renderNode)
  if (node === undefined || node.errno === null) return null
  if (isAbsent(node)) {
    const { cause, situations } = whyDeviceIsMissing(machine, 'it')
    return finding(
      machine,
      'RENDER_NODE_MISSING',
      `${node.path}, the render node of ${label(gpu)}, does not exist${cause === null ? '' : `: ${cause}`}`,
      situations,
      { path: node.path },
    )
  }
  const exhausted = describeExhaustion(node)
  if (exhausted !== null)
    return finding(
      machine,
      'RENDER_NODE_DENIED',
      `${node.path}, the render node of ${label(gpu)}, cannot be opened: ${exhausted}`,
      ['too many files'],
      { path: node.path },
    )
  const { text, situations, facts } = isDenied(node)
    ? explainDenial(node, machine.identity, machine.surroundings)
    : { text: 'the driver refuses', situations: [], facts: { path: node.path } }
  return finding(
    machine,
    'RENDER_NODE_DENIED',
    `${node.path}, the render node of ${label(gpu)}, cannot be opened (${node.errno}): ${text}`,
    situations,
    facts,
  )
}

/** Why a process does not see a device that the machine has; without a cause when it may be the machine that has none. */
function whyDeviceIsMissing(
  { surroundings, topology }: Machine,
  it: string,
): {
  cause: string | null
  situations: Situation[]
} {
  const { container, service, ownDevices } = surroundings
  if (container !== null) return { cause: `this container was not given ${it}`, situations: [] }
  if (service !== null && (ownDevices || topology.present))
    return {
      cause: `the unit ${service} has a /dev of its own without it (PrivateDevices=yes)`,
      situations: ['private devices'],
    }
  if (ownDevices)
    return {
      cause: 'this process has a /dev of its own without it (bubblewrap, firejail or another sandbox)',
      situations: ['own devices'],
    }
  return { cause: null, situations: [] }
}
