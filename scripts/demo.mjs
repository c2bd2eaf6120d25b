#!/usr/bin/env node
// @ts-check
/**
 * The demonstration of a checkout: builds what is missing, then runs `whisper-hip demo`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './support/package.mjs'
import { BuildError, log, run } from './support/script.mjs'
import { vendorToInstall } from './vendor.mjs'

const cli = join(packageRoot, 'dist', 'cli.js')

/** Everything that `npm install` would have done, when it has not. */
async function prepare() {
  await vendorToInstall(join(packageRoot, 'vendor'), log)
  if (!existsSync(cli)) npm('run', 'build:lib')
  const { build } = await import('./build.mjs')
  await build({ root: packageRoot, out: join(packageRoot, 'build'), tell: log })
}

/** @param {string[]} args */
function npm(...args) {
  const { status } = spawnSync('npm', args, { cwd: packageRoot, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new BuildError(`npm ${args.join(' ')} failed; its output is above`)
}

await run(async () => {
  await prepare()
  const { status } = spawnSync(process.execPath, [cli, 'demo'], { stdio: 'inherit' })
  process.exitCode = status ?? 1
})
