#!/usr/bin/env node
// @ts-check
/**
 * Stands in for node-gyp when prebuildify runs: `rebuild …` builds a portable addon into the current folder's
 * `build/Release`, which runs with an old C library as well. prebuildify's own arguments (target, devdir, arch) have no meaning for a Node-API addon.
 */
import { join } from 'node:path'
import { build } from './build.mjs'
import { GLIBC_FLOOR } from './support/glibc-floor.mjs'
import { packageRoot } from './support/package.mjs'
import { BuildError, log, run } from './support/script.mjs'

await run(async () => {
  if (process.argv[2] !== 'rebuild')
    throw new BuildError(`Expected 'rebuild' but received '${process.argv[2]}'.`)
  await build({
    root: packageRoot,
    out: join(process.cwd(), 'build'),
    portable: true,
    glibc: GLIBC_FLOOR,
    tell: log,
  })
})
