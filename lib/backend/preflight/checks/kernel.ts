import type { Gpu } from '../gpus.ts'
import { type Finding, finding, label, type Machine } from '../machine.ts'
import { explainDenial, isAbsent, isDenied } from '../nodes.ts'

/** Checks of the kernel's side: driver, device nodes, topology. Each gives the first thing that is wrong for one GPU. */

export function checkDriver(gpu: Gpu, machine: Machine): Finding | null {
  // Without a link the card may be driven all the same, where sysfs is shown in part.
  if (gpu.pci === null || gpu.kfd !== null) return null
  const { driver, renderNode } = gpu.pci
  if (driver === 'amdgpu' || (driver === null && renderNode !== null)) return null
  const found = (message: string, situation: 'vfio' | 'other driver' | 'driver not loaded') =>
    finding(machine, 'AMDGPU_DRIVER_NOT_LOADED', message, [situation])
  if (driver === 'vfio-pci')
    return found(`${label(gpu)} is held by the driver vfio-pci, which passes it to a virtual machine`, 'vfio')
  if (driver !== null)
    return found(`${label(gpu)} is held by the driver ${driver} instead of amdgpu`, 'other driver')
  if (machine.amdgpuLoaded)
    return finding(
      machine,
      'AMDGPU_DRIVER_NOT_LOADED',
      `The driver amdgpu is loaded, but it did not take ${label(gpu)}`,
    )
  return found(
    `No driver holds ${label(gpu)}: amdgpu is not loaded (there is no /sys/module/amdgpu)`,
    'driver not loaded',
  )
}

export function checkKfd(_gpu: Gpu, machine: Machine): Finding | null {
  const { kfd, surroundings, topology } = machine
  if (kfd === null || kfd.errno === null) return null
  if (isAbsent(kfd)) {
    const cause =
      surroundings.container !== null
        ? 'this container was not given the device'
        : topology.present
          ? 'although the kernel has KFD'
          : 'the kernel has no KFD'
    return finding(machine, 'KFD_MISSING', `/dev/kfd does not exist: ${cause}`)
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
  if (isAbsent(node))
    return finding(
      machine,
      'RENDER_NODE_MISSING',
      `${node.path}, the render node of ${label(gpu)}, does not exist${machine.surroundings.container === null ? '' : ': this container was not given it'}`,
      [],
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
