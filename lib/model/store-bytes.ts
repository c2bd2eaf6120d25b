import { setImmediate } from 'node:timers'
import { unshared } from '../kinds.ts'
import type { NativeAddon, NativeByteStore } from '../native.ts'
import type { LoadPlan } from './plan.ts'

const SLICE_BYTES = 1 << 20

/** Copies the sources that are bytes in memory, a slice per turn of the event loop; what it gives finds the copies. */
export async function storeBytes(
  native: NativeAddon,
  plan: LoadPlan,
  signal: AbortSignal | undefined,
): Promise<(bytes: Uint8Array) => NativeByteStore> {
  const stores = new Map<Uint8Array, NativeByteStore>()
  for (const source of plan.sources) {
    if (!('bytes' in source.native)) continue
    const { bytes } = source.native
    const store = new native.ByteStore()
    for (let offset = 0; offset < bytes.byteLength; offset += SLICE_BYTES) {
      store.append(unshared(bytes.subarray(offset, offset + SLICE_BYTES)), false)
      await new Promise(setImmediate)
      signal?.throwIfAborted()
    }
    stores.set(bytes, store)
  }
  return (bytes) => stores.get(bytes) as NativeByteStore
}
