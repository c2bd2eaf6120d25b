// @ts-check
/**
 * Debian without compilers and headers: only what every Debian has, with a Node of npm and the C++ library that it needs. The system is
 * made once, in a file of the cache, and unpacked for each attempt. Needs root on Debian or a system like it.
 */
import { existsSync, mkdirSync, renameSync, symlinkSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as apt from '../support/apt.mjs'
import { insideTree, requireChroot } from '../support/chroot.mjs'
import { npmFolder } from '../support/npm-folder.mjs'
import { log } from '../support/script.mjs'
import { execute } from './application.mjs'
import { from, NPM_INSTALL } from './host.mjs'

/** @typedef {import('./host.mjs').Host} Host */
/** @typedef {import('./host.mjs').Place} Place */

const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'whisper-hip', 'hosts')
const NODE = 'node@22'
/** Where npm is in the tree. */
const NPM = '/usr/local/lib/node_modules/npm'

/** @param {string} suite @returns {string} an archive with the system */
function makeSystem(suite) {
  const archive = join(CACHE, `debian-${suite}.tar`)
  if (existsSync(archive)) return archive
  const mmdebstrap = apt.requireProgram('mmdebstrap', log)
  mkdirSync(CACHE, { recursive: true })
  const unfinished = join(CACHE, `unfinished-${process.pid}.tar`)
  log(`installing Debian ${suite} in ${archive}`)
  const args = ['--variant=essential', '--include=libstdc++6', suite, unfinished, apt.aptMirror()]
  apt.execute([mmdebstrap, '--quiet', ...args], `Debian ${suite} could not be installed.`)
  renameSync(unfinished, archive)
  return archive
}

/** @param {string} suite @returns {NonNullable<Host['enter']>} */
const enter = (suite) => async (place) => {
  requireChroot()
  const tree = join(place.folder, suite)
  mkdirSync(tree)
  await execute(['tar', '--extract', '--file', makeSystem(suite), '--directory', tree], place.folder)
  symlinkSync(`${NPM}/bin/npm-cli.js`, join(tree, 'usr/local/bin/npm'))
  const node = (await execute(from(NODE, 'node', '-p', 'process.execPath'), place.folder)).trim()
  const same = [place.folder, place.model, await setting('cache'), ...(await settingFiles())]
  const binds = [
    { from: node, to: '/usr/local/bin/node' },
    { from: npmFolder(), to: NPM },
    ...same.map((path) => ({ from: path, to: path })),
  ]
  return (command, directory) => [
    ...['env', `PATH=${process.env.PATH}:/usr/sbin:/sbin`],
    ...insideTree(tree, ['env', 'LC_ALL=C.UTF-8', 'PATH=/usr/local/bin:/usr/bin:/bin', ...command], {
      directory,
      binds,
    }),
  ]

  /** A setting of npm on this machine. @param {string} name */
  async function setting(name) {
    return (await execute(['npm', 'config', 'get', name], place.folder)).trim()
  }

  /** How npm reaches its registry from this machine. */
  async function settingFiles() {
    const files = [await setting('globalconfig'), await setting('userconfig'), await setting('cafile')]
    return files.filter((path) => existsSync(path))
  }
}

/** @type {Host[]} */
export const DEBIAN = [
  { number: 11, suite: 'bullseye' },
  { number: 12, suite: 'bookworm' },
  { number: 13, suite: 'trixie' },
].map(({ number, suite }) => ({
  name: `Debian ${number}, no compiler`,
  version: ['cat', '/etc/debian_version'],
  install: ['npm', ...NPM_INSTALL],
  run: [
    ['sh', '-c', '! command -v cc c++ make && [ -z "$(ls -A /usr/include)" ]'],
    ['node', 'program.mjs'],
  ],
  enter: enter(suite),
}))
