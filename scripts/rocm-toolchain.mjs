#!/usr/bin/env node
// @ts-check
/**
 * Makes a Debian system with ROCm's compiler and libraries in a folder, for machines whose own system has none:
 *
 *   node scripts/rocm-toolchain.mjs [--rocm 6|7] [DIR] [-- COMMAND…]
 *
 * ROCm 6 (the default) is that of Debian's testing release, ROCm 7 that of its experimental suite, on top of the same release.
 * Needs root on Debian or a system like it, and about 6 GB. DIR is by default below XDG_CACHE_HOME. What is finished is not
 * made again. A COMMAND runs in the tree, in a copy of this checkout that is kept in it, with this machine's home folder
 * (caches, npm's settings) and npm; its exit code is passed on:
 *
 *   node scripts/rocm-toolchain.mjs -- env WHISPER_HIP_BUILD=hip WHISPER_HIP_TARGETS=gfx1100 npm ci
 */
import { spawn } from 'node:child_process'
import { existsSync, rmSync, symlinkSync } from 'node:fs'
import { constants, homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { copyCheckout } from './support/checkout-copy.mjs'
import { insideTree, requireChroot } from './support/chroot.mjs'
import { COPY, makeTree, readRocm, TOOLCHAINS, toolchainFolder } from './support/debian-tree.mjs'
import { withLock } from './support/lock.mjs'
import { npmFolder } from './support/npm-folder.mjs'
import { packageRoot } from './support/package.mjs'
import { BuildError, log, run } from './support/script.mjs'

/** Where npm is in the tree; Debian's own would bring hundreds of packages. */
const NPM = '/usr/local/lib/node_modules/npm'

/** @param {string[]} args */
function readArguments(args) {
  const end = args.indexOf('--')
  const command = end < 0 ? [] : args.slice(end + 1)
  const { values, positionals } = parseArgs({
    args: end < 0 ? args : args.slice(0, end),
    options: { rocm: { type: 'string', default: '6' } },
    allowPositionals: true,
  })
  const rocm = readRocm(values.rocm)
  if (positionals.length > 1 || (end >= 0 && command.length === 0))
    throw new BuildError('Expected: node scripts/rocm-toolchain.mjs [--rocm 6|7] [DIR] [-- COMMAND…]')
  return { recipe: TOOLCHAINS[rocm], folder: resolve(positionals[0] ?? toolchainFolder(rocm)), command }
}

/**
 * @param {string} tree
 * @param {string[]} command
 * @returns {Promise<number>} exit code
 */
function runInTree(tree, command) {
  const home = homedir()
  for (const name of ['npm', 'npx']) {
    const link = join(tree, 'usr/local/bin', name)
    rmSync(link, { force: true })
    symlinkSync(`${NPM}/bin/${name}-cli.js`, link)
  }
  const files = ['/etc/npmrc', '/etc/ssl/certs/ca-certificates.crt'].filter((path) => existsSync(path))
  const binds = [
    { from: home, to: home },
    { from: npmFolder(), to: NPM },
    ...files.map((path) => ({ from: path, to: path })),
  ]
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  const [program = '', ...args] = insideTree(tree, ['env', `PATH=${path}`, ...command], {
    directory: `/${COPY}`,
    binds,
  })
  const { npm_execpath: _, npm_node_execpath: __, ...env } = process.env
  const child = spawn(program, args, {
    stdio: 'inherit',
    env: { ...env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, HOME: home, LC_ALL: 'C.UTF-8' },
  })
  // A terminal sends its signals to the command too; who else sends one sends it to this process only.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal))
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('exit', (code, signal) => done(code ?? 128 + constants.signals[signal ?? 'SIGKILL']))
  })
}

await run(async () => {
  const { recipe, folder, command } = readArguments(process.argv.slice(2))
  requireChroot()
  await withLock(
    folder,
    () => log(`another process is at work in ${folder}; waiting for it`),
    async () => {
      makeTree(folder, recipe, log)
      if (command.length === 0) return log(`${recipe.name} is in ${folder}`)
      copyCheckout(packageRoot, join(folder, COPY))
      process.exitCode = await runInTree(folder, command)
    },
  )
})
