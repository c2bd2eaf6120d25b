#!/usr/bin/env node
// @ts-check
/**
 * The install script. A checkout fetches whisper.cpp and compiles. An installed package uses its prebuild when that
 * loads on this machine, else compiles from the sources in the package. It always compiles where a HIP module can be had
 * (ROCm and an AMD GPU) or was asked for (`WHISPER_HIP_BUILD=hip`), because no prebuild has one.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from './build.mjs'
import { buildOptions, planHip } from './support/options.mjs'
import { packageRoot } from './support/package.mjs'
import { log, run } from './support/script.mjs'

const load = createRequire(import.meta.url)

/**
 * Loads the addon in a child process, where a crash is an answer too.
 * @returns {boolean} false after saying why, when there is a prebuild and it does not load
 */
function prebuildLoads() {
  const loader = load('node-gyp-build')
  /** @type {string} */
  let path
  try {
    path = loader.path(packageRoot)
  } catch {
    log(`no prebuild for ${process.platform}-${process.arch} in this package; compiling`)
    return false
  }
  const child = spawnSync(process.execPath, ['-e', 'require(process.argv[1])', path], { encoding: 'utf8' })
  if (child.status === 0) return true
  const lines = child.stderr.split('\n')
  const reason =
    lines.find((line) => /^\w*Error: /.test(line)) ?? (child.signal ? `killed by ${child.signal}` : lines[0])
  log(`the prebuild ${path} does not load on this machine (${reason}); compiling`)
  return false
}

async function install() {
  const checkout = existsSync(join(packageRoot, 'tsup.config.ts'))
  if (checkout) {
    const { vendorToInstall } = await import('./vendor.mjs')
    await vendorToInstall(join(packageRoot, 'vendor'), log)
  } else if (!planHip(buildOptions(process.env), process.env).build && prebuildLoads()) {
    return
  }
  await build({ root: packageRoot, out: join(packageRoot, 'build'), tell: log })
}

await run(install)
