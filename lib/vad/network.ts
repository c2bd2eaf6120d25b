import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../backend/package-root.ts'
import { WhisperHipError } from '../errors.ts'
import { onDisk } from '../host/asar.ts'

/** Silero's network inside this package, as vendor/silero-vad.json names it. */
const file = 'vendor/silero-vad/silero_vad_16k_op15.onnx'

/**
 * Absolute path of the network that tells speech from everything else: a part of this package.
 * @throws {@link WhisperHipError} `ERR_NATIVE_MISSING` naming the path
 */
export function networkPath(): string {
  const path = onDisk(join(packageRoot(), file))
  if (existsSync(path)) return path
  throw new WhisperHipError('ERR_NATIVE_MISSING', `The voice activity network is missing: ${path}`, {
    advice: ['Install whisper-hip again; in a checkout: node scripts/vendor.mjs'],
  })
}
