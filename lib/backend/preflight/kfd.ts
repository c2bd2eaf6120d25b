import { isFailure } from './failure.ts'
import { decodeTargetVersion, gfxName } from './gfx.ts'
import type { Sysroot } from './sysroot.ts'

/**
 * The topology of KFD, the part of the driver amdgpu that computes: one folder per node, processors first. Facts: the
 * kernel's `drivers/gpu/drm/amd/amdkfd/kfd_topology.c` and ROCm's `libhsakmt/src/topology.c`.
 */

const NODES = '/sys/class/kfd/kfd/topology/nodes'
/** Heap types of memory on the GPU, visible to the processor or not. */
const GPU_HEAPS: readonly (number | undefined)[] = [1, 2]

/** A GPU that KFD offers for computing. */
export interface KfdGpu {
  /** Number of its folder. */
  node: number
  /** Its place among the nodes that this process may see, processors included: the N of `HSA_OVERRIDE_GFX_VERSION_N`. */
  ordinal: number
  /** The chip, e.g. `gfx1100`; null on kernels that do not tell. */
  gfx: string | null
  pciId: string | null
  deviceId: number
  /** E.g. `/dev/dri/renderD128`. */
  renderNode: string | null
  /** Bytes of memory that it can compute in. */
  memory: number | null
  /** 16 hexadecimal digits, or null for a chip without a serial number. */
  uniqueId: string | null
  /** A processor is part of the same node. */
  hasProcessor: boolean
}

export interface KfdTopology {
  /** Whether the kernel has KFD. */
  present: boolean
  /** In the order of their numbers, which is the order in which ROCm counts them. */
  gpus: KfdGpu[]
  /** Paths of what this process may not read: GPUs whose render node its device cgroup denies. */
  denied: string[]
}

export function readKfdTopology(root: Sysroot): KfdTopology {
  const topology: KfdTopology = { present: root.exists(NODES), gpus: [], denied: [] }
  const nodes = root
    .list(NODES)
    .filter((name) => /^\d{1,4}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
  let ordinal = 0
  for (const node of nodes) {
    const path = `${NODES}/${node}/properties`
    const bytes = root.read(path)
    if (isFailure(bytes)) {
      if (bytes.errno === 'EPERM' || bytes.errno === 'EACCES') topology.denied.push(path)
      continue
    }
    const gpu = parseGpu(root, node, ordinal, parseProperties(bytes.toString('latin1')))
    if (gpu !== null) topology.gpus.push(gpu)
    ordinal++
  }
  return topology
}

type Properties = ReadonlyMap<string, bigint>

function parseGpu(root: Sysroot, node: number, ordinal: number, properties: Properties): KfdGpu | null {
  const number = (key: string) => Number(properties.get(key) ?? 0n)
  const version = number('gfx_target_version')
  if (version === 0 && number('simd_count') === 0) return null
  const minor = number('drm_render_minor')
  const uniqueId = properties.get('unique_id') ?? 0n
  return {
    node,
    ordinal,
    gfx: version > 0 && version < 1_000_000 ? gfxName(decodeTargetVersion(version)) : null,
    pciId: pciAddress(number('domain'), number('location_id')),
    deviceId: number('device_id'),
    renderNode: minor > 0 && minor < 0x1_0000 ? `/dev/dri/renderD${minor}` : null,
    memory: readMemory(root, node),
    uniqueId: uniqueId > 0n ? uniqueId.toString(16).padStart(16, '0') : null,
    hasProcessor: number('cpu_cores_count') > 0,
  }
}

/** `location_id` holds bus, device and function in its low 16 bits; above are the partitions of large cards. */
function pciAddress(domain: number, location: number): string | null {
  const place = location & 0xffff
  if (place === 0) return null // The host bridge: never a GPU.
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')
  return `${hex(domain, 4)}:${hex(place >> 8, 2)}:${hex((place >> 3) & 0x1f, 2)}.${place & 7}`
}

function readMemory(root: Sysroot, node: number): number | null {
  const banks = `${NODES}/${node}/mem_banks`
  let bytes = 0
  for (const bank of root.list(banks)) {
    const properties = parseProperties(root.text(`${banks}/${bank}/properties`) ?? '')
    if (GPU_HEAPS.includes(Number(properties.get('heap_type') ?? 0n)))
      bytes += Number(properties.get('size_in_bytes') ?? 0n)
  }
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null
}

function parseProperties(text: string): Properties {
  const properties = new Map<string, bigint>()
  for (const line of text.split('\n')) {
    const [, key, value] = /^(\w{1,64}) +(\d{1,20})\s*$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) properties.set(key, BigInt(value))
  }
  return properties
}
