import type { Finding } from './finding.ts'
import type { Gpu } from './gpus.ts'
import { finding, label, type Machine } from './machine.ts'

/** Discrete before integrated, more memory first, then in PCI order. */
export function byPreference(gpus: readonly Gpu[]): Gpu[] {
  const isShared = (gpu: Gpu) => Number(gpu.integrated === true)
  return [...gpus].sort(
    (a, b) => isShared(a) - isShared(b) || (b.memoryTotal ?? 0) - (a.memoryTotal ?? 0) || a.index - b.index,
  )
}

/**
 * The GPUs that the `device` option allows, best first.
 * @param device place in the list, PCI address (`0000:03:00.0` or `03:00.0`), chip, or a part of the name; a text of one or two
 * digits is a place
 */
export function allowedGpus(machine: Machine, device: number | string | undefined): Gpu[] | Finding {
  const gpus = byPreference(machine.gpus)
  if (device === undefined) return gpus
  const count = gpus.length === 1 ? '1 AMD GPU' : `${gpus.length} AMD GPUs`
  const wrong = (reason: 'DEVICE_INDEX_OUT_OF_RANGE' | 'DEVICE_NOT_FOUND', message: string) =>
    finding(machine, reason, message, [], {
      devices: machine.gpus.map((gpu) => `${gpu.index}: ${label(gpu)}`).join(', '),
    })

  const index = typeof device === 'number' ? device : /^\d{1,2}$/.test(device) ? Number(device) : null
  if (index !== null) {
    const gpu = gpus.find((gpu) => gpu.index === index)
    return gpu
      ? [gpu]
      : wrong('DEVICE_INDEX_OUT_OF_RANGE', `The device ${index} was asked for, and this machine has ${count}`)
  }
  const word = String(device).trim().toLowerCase()
  const exact = gpus.filter(({ pciId, kfd }) => [pciId, kfd?.gfx].includes(word) || pciId === `0000:${word}`)
  const found =
    exact.length > 0 ? exact : gpus.filter(({ name }) => word && name.toLowerCase().includes(word))
  return found.length > 0
    ? found
    : wrong(
        'DEVICE_NOT_FOUND',
        `The device ${JSON.stringify(device)} was asked for, and none of this machine's ${count} has that PCI address, chip or name`,
      )
}
