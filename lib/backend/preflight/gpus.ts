import { isIntegrated } from './gfx.ts'
import type { KfdGpu } from './kfd.ts'
import { gpuName } from './names.ts'
import type { MemoryPool, PciGpu } from './pci.ts'
import type { Sysroot } from './sysroot.ts'

/** Processors with the chip of an accelerator card: MI300A. */
const PROCESSOR_DEVICE_IDS: readonly number[] = [0x74a0]

/** An AMD GPU as the PCI bus and KFD know it. */
export interface Gpu {
  /** Place in this list. */
  index: number
  name: string
  pciId: string
  /** Null where PCI devices are hidden. */
  pci: PciGpu | null
  /** Null when KFD does not offer it. */
  kfd: KfdGpu | null
  /** Null when unknown. */
  integrated: boolean | null
  renderNode: string | null
  memoryTotal: number | null
  memoryFree: number | null
}

/**
 * Brings together what the PCI bus and KFD say, in the order of PCI addresses. A card that is split into partitions is
 * several GPUs with one address.
 */
export function listGpus(root: Sysroot, pciGpus: readonly PciGpu[], kfdGpus: readonly KfdGpu[]): Gpu[] {
  const pairs = pair(pciGpus, kfdGpus)
  return pairs.map(({ pci, kfd }, index) => {
    const integrated = isPartOfProcessor(kfd)
    return {
      index,
      name: gpuName(root, pci ?? { deviceId: kfd?.deviceId ?? 0, revision: null, productName: null }),
      pciId: pci?.pciId ?? kfd?.pciId ?? 'unknown',
      pci,
      kfd,
      integrated,
      renderNode: kfd?.renderNode ?? pci?.renderNode ?? null,
      ...memoryOf(pci, kfd, integrated === true),
    }
  })
}

type Pair = Pick<Gpu, 'pci' | 'kfd'>

function pair(pciGpus: readonly PciGpu[], kfdGpus: readonly KfdGpu[]): Pair[] {
  const pairs: Pair[] = []
  const rest = new Set(kfdGpus)
  for (const pci of pciGpus) {
    const same = [...rest].filter((kfd) => isSame(pci, kfd))
    for (const kfd of same) rest.delete(kfd)
    if (same.length === 0) pairs.push({ pci, kfd: null })
    else pairs.push(...same.map((kfd) => ({ pci, kfd })))
  }
  pairs.push(...[...rest].map((kfd) => ({ pci: null, kfd })))
  return pairs.sort((a, b) => compare(addressOf(a), addressOf(b)))
}

function isSame(pci: PciGpu, kfd: KfdGpu): boolean {
  if (kfd.pciId !== null) return kfd.pciId === pci.pciId
  if (kfd.renderNode !== null && pci.renderNode !== null) return kfd.renderNode === pci.renderNode
  return kfd.deviceId === pci.deviceId
}

function addressOf({ pci, kfd }: Pair): string {
  return pci?.pciId ?? kfd?.pciId ?? '~'
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function isPartOfProcessor(kfd: KfdGpu | null): boolean | null {
  if (kfd === null || kfd.gfx === null) return null
  return kfd.hasProcessor || isIntegrated(kfd.gfx) || PROCESSOR_DEVICE_IDS.includes(kfd.deviceId)
}

/**
 * What KFD counts is what ROCm will offer. For an integrated GPU that is the memory that the firmware set aside for it, or
 * with newer kernels the larger part of the system memory that the driver may lend.
 */
function memoryOf(pci: PciGpu | null, kfd: KfdGpu | null, integrated: boolean) {
  const total = kfd?.memory ?? pci?.vram.total ?? null
  const pool: MemoryPool | undefined =
    integrated && total !== null && total > (pci?.vram.total ?? 0) ? pci?.gtt : pci?.vram
  const used = pool?.used ?? null
  return {
    memoryTotal: total,
    memoryFree: total === null || used === null ? null : Math.max(0, total - used),
  }
}
