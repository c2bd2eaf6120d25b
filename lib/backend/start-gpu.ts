import { WhisperHipError } from '../errors.ts'
import type { NativeAddon, NativeHip } from '../native.ts'
import { type LoadedAddon, loadBackends } from './addon.ts'
import type { GpuChoice } from './decision.ts'
import { pinning, unpinnedVariables } from './pinned.ts'
import { generalAdvice } from './preflight/advice.ts'
import { reasonOfText } from './probe/judge.ts'
import { trustVerdict } from './trust.ts'
import type { BackendReason } from './types.ts'

/** HIP is started by one at a time: its variables are those of the process. */
let last: Promise<unknown> = Promise.resolve()

/**
 * Starts HIP in this process for the chosen GPU.
 * @returns the place of the GPU among those that HIP shows
 * @throws {@link WhisperHipError} `ERR_BACKEND_UNAVAILABLE` with a reason
 */
export async function startGpu({ native }: LoadedAddon, choice: GpuChoice): Promise<number> {
  await loadBackends()
  const { device, verdict } = choice
  trustVerdict(verdict)
  const turn = last.then(() => loadHip(native, choice))
  last = turn.catch(() => {})
  const hip = await turn
  if (device === null) return 0
  const place = hip.devices.findIndex(({ pciId }) => pciId === device.pciId)
  if (place >= 0) return place
  // A module that tells no addresses shows only what the variables leave.
  if (hip.devices.length === 1 && hip.devices[0]?.pciId === '') return 0
  const shown = hip.devices.map(({ name, pciId }) => `${name} ${pciId}`).join(', ')
  throw unavailable('DEVICE_NOT_FOUND', `HIP does not show the GPU ${device.pciId}, only ${shown}`)
}

async function loadHip(native: NativeAddon, { module, device, pin }: GpuChoice): Promise<NativeHip> {
  const isStarted = native.hipState().path !== null
  const before = isStarted ? {} : native.setVariables(pinning(process.env, pin))
  try {
    return await native.loadHip(module, device?.pciId ?? '')
  } catch (error) {
    const { message, reason } = error as Error & { reason?: BackendReason }
    const known = reason ?? reasonOfText(message)
    throw unavailable(
      known === 'UNKNOWN' ? 'HIP_INIT_FAILED' : known,
      `HIP does not start: ${message}`,
      error,
    )
  } finally {
    // HIP has read them, and other programs that this process starts are to see what the user set.
    native.setVariables(unpinnedVariables(before))
  }
}

function unavailable(reason: BackendReason, message: string, cause?: unknown): WhisperHipError {
  return new WhisperHipError('ERR_BACKEND_UNAVAILABLE', message, {
    reason,
    advice: generalAdvice(reason),
    cause,
  })
}
