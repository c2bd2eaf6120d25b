import type { PciGpu } from './pci.ts'
import { printable, type Sysroot } from './sysroot.ts'

const TABLES = ['/usr/share/libdrm/amdgpu.ids', '/opt/amdgpu/share/libdrm/amdgpu.ids']

/**
 * The name of a card as its owner knows it: what the board says, else libdrm's table of device and revision, else the
 * numbers.
 */
export function gpuName(root: Sysroot, gpu: Pick<PciGpu, 'deviceId' | 'revision' | 'productName'>): string {
  return gpu.productName ?? nameInTables(root, gpu) ?? `AMD GPU 1002:${hex(gpu.deviceId, 4)}`
}

function nameInTables(root: Sysroot, { deviceId, revision }: Pick<PciGpu, 'deviceId' | 'revision'>) {
  const start = `\n${hex(deviceId, 4)},\t${revision === null ? '' : `${hex(revision, 2)},\t`}`.toLowerCase()
  for (const path of TABLES) {
    const text = root.text(path)
    const at = text?.toLowerCase().indexOf(start) ?? -1
    if (text === null || at < 0) continue
    const line = text.slice(at + 1).split('\n', 1)[0] ?? ''
    const name = printable(line.split('\t')[2] ?? '')
    if (name !== '') return name
  }
  return null
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}
