import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BackendReason, GpuDevice } from './types.ts'

const PCI_DEVICES = '/sys/bus/pci/devices'
const AMD = '0x1002'
const DISPLAY_CLASS = '0x03'

/** The AMD GPUs that the PCI bus shows, whether a driver is bound to them or not. Reads sysfs only: never touches a driver. */
export async function listGpus(reason: BackendReason, root = PCI_DEVICES): Promise<GpuDevice[]> {
  const devices: GpuDevice[] = []
  for (const pciId of await entries(root)) {
    const read = (file: string) => readText(join(root, pciId, file))
    if ((await read('vendor')) !== AMD || !(await read('class'))?.startsWith(DISPLAY_CLASS)) continue
    const total = number(await read('mem_info_vram_total'))
    const used = number(await read('mem_info_vram_used'))
    devices.push({
      index: devices.length,
      name: (await read('product_name')) || `AMD GPU 1002:${(await read('device'))?.slice(2) ?? 'unknown'}`,
      pciId,
      memoryTotal: total,
      memoryFree: total !== null && used !== null ? total - used : null,
      reason,
    })
  }
  return devices
}

async function entries(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch {
    return [] // no PCI bus (some containers and virtual machines): no GPU to list
  }
}

async function readText(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch {
    return null // an attribute that this driver does not have
  }
}

function number(text: string | null): number | null {
  const value = text === null || text === '' ? Number.NaN : Number(text)
  return Number.isSafeInteger(value) ? value : null
}
