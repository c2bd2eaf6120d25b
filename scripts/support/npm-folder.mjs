// @ts-check
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BuildError } from './script.mjs'
import { findProgram } from './toolchain.mjs'

/** Folder of the npm that runs this program, or that PATH names. */
export function npmFolder() {
  const path = process.env.npm_execpath ?? findProgram('npm', process.env)
  const folder = path && dirname(dirname(realpathSync(path)))
  if (!folder || !existsSync(join(folder, 'bin', 'npm-cli.js')))
    throw new BuildError('npm was not found in PATH.')
  return folder
}
