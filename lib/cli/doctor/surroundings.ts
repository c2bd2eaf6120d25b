import { readFileSync } from 'node:fs'
import { arch, release, type } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../backend/package-root.ts'
import type { Surroundings } from './facts.ts'

export function surroundings(): Surroundings {
  return {
    version: JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).version,
    node: process.version,
    system: `${distribution()}, ${type()} ${release()}, ${arch()}`,
  }
}

function distribution(): string {
  try {
    const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
    return name || 'unnamed distribution'
  } catch {
    return 'unknown distribution'
  }
}
