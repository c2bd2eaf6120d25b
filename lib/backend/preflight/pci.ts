import { basename } from 'node:path'
import type { Sysroot } from './sysroot.ts'

const DEVICES = '/sys/bus/pci/devices'
const AMD = 0x1002
const ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/
/** Display controllers, and the processing accelerators as which Instinct cards since MI300 present themselves. */
const GPU_CLASS = /^0x(03|12)/

/** An AMD GPU on the PCI bus, whether a driver drives it or not. */
export interface PciGpu {
  /** E.g. `0000:03:00.0`. */
  pciId: string
  deviceId: number
  revision: number | null
  /** Name of the bound driver: `amdgpu`, `vfio-pci` …, or null. */
  driver: string | null
  /** As boards tell it that have a memory for it. */
  productName: string | null
  /** E.g. `/dev/dri/renderD128`, or null when no driver made one. */
  renderNode: string | null
  /** Bytes, or null without the driver amdgpu. */
  vram: MemoryPool
  /** System memory that the driver may lend to the GPU: what integrated GPUs compute in. */
  gtt: MemoryPool
}

export interface MemoryPool {
  total: number | null
  used: number | null
}

/** The AMD GPUs that the PCI bus shows, in the order of their addresses. */
export function listPciGpus(root: Sysroot): PciGpu[] {
  const gpus: PciGpu[] = []
  for (const pciId of root.list(DEVICES)) {
    const folder = `${DEVICES}/${pciId}`
    if (!ADDRESS.test(pciId) || numberIn(root, `${folder}/vendor`) !== AMD) continue
    if (!GPU_CLASS.test(root.line(`${folder}/class`) ?? '')) continue
    const driver = root.link(`${folder}/driver`)
    const render = root.list(`${folder}/drm`).find((name) => /^renderD\d+$/.test(name))
    const pool = (kind: string): MemoryPool => ({
      total: numberIn(root, `${folder}/mem_info_${kind}_total`),
      used: numberIn(root, `${folder}/mem_info_${kind}_used`),
    })
    gpus.push({
      pciId,
      deviceId: numberIn(root, `${folder}/device`) ?? 0,
      revision: numberIn(root, `${folder}/revision`),
      driver: driver && basename(driver),
      productName: root.line(`${folder}/product_name`),
      renderNode: render ? `/dev/dri/${render}` : null,
      vram: pool('vram'),
      gtt: pool('gtt'),
    })
  }
  return gpus
}

/** Whether the driver is part of the running kernel, as a module or built in. */
export function isAmdgpuLoaded(root: Sysroot): boolean {
  return root.exists('/sys/module/amdgpu')
}

function numberIn(root: Sysroot, path: string): number | null {
  const text = root.line(path)
  const value = text === null ? Number.NaN : Number(text)
  return Number.isSafeInteger(value) && value >= 0 ? value : null
}
