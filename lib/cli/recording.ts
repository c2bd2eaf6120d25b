import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../backend/package-root.ts'
import { UsageError } from './failures.ts'

/**
 * The speech that comes with the package: 11 seconds in English.
 * @param advice how to name another one
 */
export function ownRecording(advice: string): string {
  const path = join(packageRoot(), 'vendor/whisper.cpp/bindings/go/samples/jfk.wav')
  if (existsSync(path)) return path
  throw new UsageError(`The recording ${path} is not there`, [advice])
}
