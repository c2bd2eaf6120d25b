// @ts-check
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Absolute path of this package, a checkout or a folder in `node_modules`. */
export const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** @param {string} folder @returns {string} */
export const packageVersion = (folder) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version
