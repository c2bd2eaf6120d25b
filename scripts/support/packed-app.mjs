// @ts-check
/** An application with the packed packages of a release, and a PATH with neither a compiler nor CMake, as users have it. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from './package.mjs'
import { BuildError } from './script.mjs'
import { findProgram } from './toolchain.mjs'

/** @typedef {{ name: string, file: string, bytes: number, unpackedBytes: number }} Packed */

/** What a user's shell has: nothing of the npm that may be running this script. */
export const userEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)),
)

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} [env]
 */
export function execute(program, args, cwd, env = userEnvironment) {
  const options = { cwd, env, maxBuffer: 64 * 1024 * 1024, encoding: /** @type {const} */ ('utf8') }
  return promisify(execFile)(program, args, options)
}

/** A folder of programs with which npm runs, and no others. @param {string} folder */
async function poorPath(folder) {
  await mkdir(folder)
  for (const name of ['node', 'npm', 'sh', 'env']) {
    const path = findProgram(name)
    if (!path) throw new BuildError(`The program ${name} was not found in PATH.`)
    await symlink(path, join(folder, name))
  }
  return folder
}

/**
 * @param {string} folder that the application and the release are made in
 * @param {string[]} options of scripts/release.mjs
 */
export async function packedApp(folder, options) {
  const out = join(folder, 'release')
  await execute(process.execPath, ['scripts/release.mjs', '--dry-run', '--out', out, ...options], packageRoot)
  /** @type {{ packages: Packed[] }} */
  const { packages } = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))
  const app = join(folder, 'an app')
  await mkdir(app)
  await writeFile(join(app, 'package.json'), '{ "name": "app", "private": true }')
  const env = { ...userEnvironment, PATH: await poorPath(join(folder, 'bin')) }
  /** Installs packages of the release, by their names, and others. @param {...string} specs names, and flags of npm */
  const install = (...specs) => {
    const files = specs.map((spec) => {
      const packed = packages.find(({ name }) => name === spec)
      return packed ? join(out, packed.file) : spec
    })
    return execute('npm', ['install', '--no-audit', '--no-fund', ...files], app, env)
  }
  return { app, env, packages, install }
}
