import { basename } from 'node:path'
import type { Sysroot } from '../../backend/preflight/sysroot.ts'

/** Versions of what runs inside of a GPU. */
export interface Firmware {
  pciId: string
  /** Of the card's own BIOS. */
  vbios: string | null
  /** By the name of the part, e.g. `mes` or `smc`: as the driver writes them. */
  versions: Readonly<Record<string, string>>
}

const ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/

/**
 * What the driver tells of each GPU, as far as this process may read it.
 * @param pciIds addresses of the GPUs
 */
export function readFirmware(root: Sysroot, pciIds: readonly string[]): Firmware[] {
  return pciIds.flatMap((pciId) => {
    const folders = [`/sys/bus/pci/devices/${pciId}`, ...cardFolders(root, pciId, pciIds.length === 1)]
    const vbios = folders.map((folder) => root.line(`${folder}/vbios_version`)).find((line) => line !== null)
    const versions = { ...fromDebugging(root, pciId, pciIds.length === 1) }
    for (const folder of folders.map((folder) => `${folder}/fw_version`))
      for (const name of root.list(folder)) {
        const version = root.line(`${folder}/${name}`)
        if (version !== null) versions[name.replace(/_fw_version$/, '')] = version
      }
    if (vbios === undefined && Object.keys(versions).length === 0) return []
    return [{ pciId, vbios: vbios ?? null, versions }]
  })
}

/** Folders of a GPU below `/sys/class/drm`, for a machine that does not show its PCI bus. */
function cardFolders(root: Sysroot, pciId: string, isOnly: boolean): string[] {
  return root
    .list('/sys/class/drm')
    .filter((name) => /^card\d+$/.test(name))
    .map((name) => `/sys/class/drm/${name}/device`)
    .filter((folder) => {
      const address = basename(root.realpath(folder) ?? '')
      return ADDRESS.test(address) ? address === pciId : isOnly && root.exists(`${folder}/vbios_version`)
    })
}

/** `amdgpu_firmware_info` of debugfs, which only root may read. */
function fromDebugging(root: Sysroot, pciId: string, isOnly: boolean): Record<string, string> {
  const versions: Record<string, string> = {}
  for (const name of root.list('/sys/kernel/debug/dri')) {
    const folder = `/sys/kernel/debug/dri/${name}`
    const isOther = !isOnly && name !== pciId && !(root.line(`${folder}/name`) ?? '').includes(pciId)
    if (isOther) continue
    for (const line of (root.text(`${folder}/amdgpu_firmware_info`) ?? '').split('\n')) {
      const [, part, version] =
        /^(\w[\w ]*?) feature version: .*firmware version: (0x[0-9a-f]+)/i.exec(line) ?? []
      if (part !== undefined && version !== undefined)
        versions[part.toLowerCase().replaceAll(' ', '_')] = version
    }
  }
  return versions
}
