// @ts-check
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageRoot } from '../../scripts/support/package.mjs'

/** The library as it is published. @returns {typeof import('../../lib/index.ts')} */
export function library() {
  return createRequire(import.meta.url)(join(packageRoot, 'dist', 'index.js'))
}

/**
 * What the library has below its public names: the addon that it uses in this process.
 * @returns {import('../../lib/native.ts').NativeAddon}
 */
export function addon() {
  return createRequire(import.meta.url)('bindings')({ bindings: 'whisper_hip', module_root: packageRoot })
}
