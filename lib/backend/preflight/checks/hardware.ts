import type { Finding } from '../finding.ts'
import { isUnsupported, isUnsupportedDevice, runsOn } from '../gfx.ts'
import { type Gpu, listGpus } from '../gpus.ts'
import { readKfdTopology } from '../kfd.ts'
import { finding, label, type Machine } from '../machine.ts'
import { listPciGpus } from '../pci.ts'
import type { Sysroot } from '../sysroot.ts'

/** Checks of whether there is a GPU that any build could use: they need nothing of ROCm and open no device. */

type Seen = Pick<Machine, 'root' | 'surroundings' | 'distribution' | 'gpus'>

/** @returns why no build could use a GPU of this machine; null where one could, and in WSL, which shows none before HIP starts */
export function checkHardware(machine: Seen): Finding | null {
  const { gpus, surroundings } = machine
  if (gpus.length === 0) return surroundings.wsl === null ? nothingSeen(machine) : null
  const unsupported = gpus.map((gpu) => checkSupport(gpu, machine))
  return unsupported.every((problem) => problem !== null) ? (unsupported[0] ?? null) : null
}

/** The AMD GPUs of a machine. Reads files of sysfs, which wakes nothing. */
export function seenGpus(root: Sysroot): Gpu[] {
  return listGpus(root, listPciGpus(root), readKfdTopology(root).gpus)
}

/** A chip that no ROCm from 6.1 on has code for. A module that brings code for it nevertheless is taken at its word. */
export function checkSupport(
  gpu: Gpu,
  machine: Seen & { module?: { targets: readonly string[] | null } | null },
): Finding | null {
  const chip = gpu.kfd?.gfx ?? null
  const isOld = chip === null ? isUnsupportedDevice(gpu.pci?.deviceId ?? 0) : isUnsupported(chip)
  if (!isOld || machine.module?.targets?.some((target) => chip !== null && runsOn(target, chip))) return null
  return finding(
    machine,
    'UNSUPPORTED_GPU',
    `No ROCm from 6.1 on supports ${label(gpu)}${chip === null ? '' : `, a ${chip}`}: its generation is too old`,
  )
}

function nothingSeen(machine: Seen): Finding {
  const { root } = machine
  if (root.exists('/sys/bus') || root.exists('/sys/class'))
    return finding(
      machine,
      'NO_AMD_GPU',
      'This machine has no AMD GPU: neither /sys/bus/pci/devices nor /sys/class/kfd shows one',
    )
  const hidden = '/sys is hidden from this process (it is empty or not mounted)'
  return root.exists('/dev/kfd')
    ? finding(
        machine,
        'GPU_NOT_IN_KFD_TOPOLOGY',
        `ROCm cannot find the GPU: ${hidden}, and ROCm reads the list of GPUs there`,
        ['hidden sysfs'],
      )
    : finding(machine, 'NO_AMD_GPU', `Whether there is an AMD GPU cannot be seen: ${hidden}`, [
        'hidden sysfs',
      ])
}
