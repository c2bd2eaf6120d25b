// @ts-check
/** What an installation without a GPU module takes. */
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { filesIn } from '../support/release-packages.mjs'
import { BuildError, log } from '../support/script.mjs'
import { execute, makeApp } from './application.mjs'
import { NPM_INSTALL } from './host.mjs'

const MOST_PACKAGES = 10
const MOST_BYTES = 20_000_000

/** @param {import('./host.mjs').Place} place */
export async function checkInstallation(place) {
  const app = join(place.folder, 'installation')
  makeApp(place, app, {})
  await execute(['npm', ...NPM_INSTALL], app)
  for (const path of ['node_modules', 'package-lock.json']) rmSync(join(app, path), { recursive: true })
  const start = Date.now()
  await execute(['npm', ...NPM_INSTALL, '--offline'], app)
  const seconds = (Date.now() - start) / 1000
  const files = filesIn(join(app, 'node_modules'))
  const bytes = files.reduce((sum, path) => sum + statSync(join(app, 'node_modules', path)).size, 0)
  const count = files.filter((path) => /^(@[^/]+\/)?[^/@]+\/package\.json$/.test(path)).length
  log(
    `installation: ${count} packages, ${(bytes / 1e6).toFixed(1)} MB, ${seconds.toFixed(1)} s from the cache of npm`,
  )
  if (count > MOST_PACKAGES || bytes > MOST_BYTES)
    throw new BuildError(`An installation may have ${MOST_PACKAGES} packages and ${MOST_BYTES / 1e6} MB.`)
}
