#!/usr/bin/env node
// @ts-check
/**
 * Installs the packages of a release in an application with each host of hosts/, transcribes a recording there, and writes what came of it
 * into docs/host-matrix.md:
 *
 *   npm run release -- --dry-run
 *   node scripts/host-matrix.mjs [HOST…]
 *
 * Where hosts are named, only those are tried, and the page stays as it is. The hosts come from npm's registry and Debian's mirrors. Needs a
 * model: WHISPER_HIP_TEST_MODEL=PATH, or tiny.en or base in the cache; and root, for Debian.
 */
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tryHost } from './hosts/application.mjs'
import { BUNDLERS } from './hosts/bundlers.mjs'
import { DEBIAN } from './hosts/debian.mjs'
import { checkInstallation } from './hosts/installation.mjs'
import { NEXT } from './hosts/next.mjs'
import { PACKAGE_MANAGERS, RUNTIMES } from './hosts/programs.mjs'
import { SINGLE_EXECUTABLE } from './hosts/single-executable.mjs'
import { TEST_RUNNERS } from './hosts/test-runners.mjs'
import { cachedModel } from './support/cached-model.mjs'
import { packageRoot } from './support/package.mjs'
import { BuildError, isMain, log, run } from './support/script.mjs'

const AUDIO = join(packageRoot, 'vendor/whisper.cpp/bindings/go/samples/jfk.wav')

export const HOSTS = [
  ...RUNTIMES,
  ...PACKAGE_MANAGERS,
  ...BUNDLERS,
  ...NEXT,
  ...TEST_RUNNERS,
  ...SINGLE_EXECUTABLE,
  ...DEBIAN,
]

/** @typedef {{ name: string, version: string, outcome: string }} Row */

/** @param {Row[]} rows */
export function matrixPage(rows) {
  const lines = rows.map(
    ({ name, version, outcome }) => `| ${name} | ${version || '-'} | ${outcome.replaceAll('|', '\\|')} |`,
  )
  return `# Hosts that were tried

Written by \`node scripts/host-matrix.mjs\`, which installs the packages of a release in an application, transcribes 11 seconds of speech there on the CPU, and
checks the errors for a recording and a model that do not exist. [hosts.md](hosts.md) has the settings that some hosts need.

| host | version | outcome |
|---|---|---|
${lines.join('\n')}
`
}

/** @param {string[]} names */
function chooseHosts(names) {
  const unknown = names.filter((name) => !HOSTS.some((host) => host.name === name))
  if (unknown.length > 0)
    throw new BuildError(
      `There is no host '${unknown[0]}'; there are: ${HOSTS.map(({ name }) => name).join('; ')}`,
    )
  return names.length > 0 ? HOSTS.filter(({ name }) => names.includes(name)) : HOSTS
}

/** @param {string[]} names */
async function tryHosts(names) {
  const hosts = chooseHosts(names)
  if (!existsSync(join(packageRoot, 'release/manifest.json')))
    throw new BuildError('There is no release: run `npm run release -- --dry-run`.')
  const folder = mkdtempSync(join(tmpdir(), 'whisper-hip-hosts-'))
  try {
    const place = { folder, model: await cachedModel('tiny.en', 'base') }
    cpSync(join(packageRoot, 'release'), join(folder, 'release'), { recursive: true })
    const audio = join(folder, 'speech.wav')
    cpSync(AUDIO, audio)
    await checkInstallation(place)
    /** @type {Row[]} */
    const rows = []
    for (const [index, host] of hosts.entries()) {
      const row = await tryHost(host, place, join(folder, `app${index}`), audio)
      log(`${row.name} ${row.version}: ${row.outcome}`)
      rows.push(row)
    }
    if (names.length === 0) writeFileSync(join(packageRoot, 'docs/host-matrix.md'), matrixPage(rows))
    const failed = rows.filter(({ outcome }) => outcome !== 'transcribes')
    if (failed.length > 0) throw new BuildError(`${failed.length} of ${rows.length} hosts failed.`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (isMain(import.meta.url)) await run(() => tryHosts(process.argv.slice(2)))
