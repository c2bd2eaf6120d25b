// @ts-check
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageRoot } from '../../scripts/support/package.mjs'

/** The library as it is published. @returns {typeof import('../../lib/index.ts')} */
export function library() {
  return createRequire(import.meta.url)(join(packageRoot, 'dist', 'index.js'))
}
