#!/usr/bin/env node
// @ts-check
/**
 * Checks the package of the library as it is published, with publint and attw. It is packed in a folder of its own: a tarball that lies in the
 * checkout stays as it is.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from './support/package.mjs'
import { ARCHITECTURES, addonPackage, stageLibrary } from './support/release-packages.mjs'
import { BuildError, run } from './support/script.mjs'

/** @param {string} program @param {string[]} args */
function must(program, args) {
  const { status, error } = spawnSync(program, args, { cwd: packageRoot, stdio: 'inherit' })
  if (status !== 0)
    throw new BuildError(`${program} failed (${error?.message ?? `it ended with ${status}`}).`)
}

await run(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'whisper-hip-package-'))
  try {
    stageLibrary(packageRoot, join(folder, 'stage'), ARCHITECTURES.map(addonPackage))
    mkdirSync(join(folder, 'packed'))
    must('npm', [
      'pack',
      join(folder, 'stage'),
      '--ignore-scripts',
      '--silent',
      '--pack-destination',
      join(folder, 'packed'),
    ])
    const tarball = join(folder, 'packed', readdirSync(join(folder, 'packed'))[0] ?? '')
    must('npx', ['publint', '--strict', tarball])
    must('npx', ['attw', tarball])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
