import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { addon } from '../../../lib/backend/addon.ts'

/** Path of the real HIP module: of `WHISPER_HIP_LIBRARY`, else of the build. Throws when there is none: these tests need it. */
export function hipModule(): string {
  const { path, report } = addon()
  const module =
    process.env.WHISPER_HIP_LIBRARY ?? (report.built.hip && join(dirname(path), report.built.hip))
  if (!module || !existsSync(module))
    throw new Error(
      `There is no HIP module (${module ?? report.hip.message}): WHISPER_HIP_BUILD=hip node scripts/build.mjs`,
    )
  return module
}

/** The chips that the module of the build is for, e.g. `gfx1100`. */
export function builtTargets(): readonly string[] {
  return addon().report.hip.gpuTargets
}
