import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FAMILIES, ROCM_MAJORS } from '../../../lib/backend/hip-packages.mjs'
import { packageRoot } from '../../../lib/backend/package-root.ts'
import { TOOLCHAINS } from '../../../scripts/support/debian-tree.mjs'

const root = packageRoot()
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8')
const workflows = readdirSync(join(root, '.github/workflows'))
const builders = readdirSync(join(root, 'scripts/builders'))
const { scripts, version } = JSON.parse(read('package.json'))

describe('workflows', () => {
  it.each(workflows)('%s runs scripts and files that exist, and may do no more than it must', (name) => {
    const text = read('.github/workflows', name)
    for (const [, script = ''] of text.matchAll(/npm run ([\w:]+)/g))
      expect(scripts, script).toHaveProperty([script])
    for (const [path] of text.matchAll(/\bscripts\/[\w./-]+\.(mjs|Dockerfile)/g))
      expect(existsSync(join(root, path)), path).toBe(true)
    expect(text).toMatch(/^permissions:\n {2}contents: read$/m)
    expect(text).not.toMatch(/NPM_TOKEN|NODE_AUTH_TOKEN/)
  })

  it('compile a module for each ROCm and each family of GPUs', () => {
    const matrix = read('.github/workflows/build.yml')
    expect(matrix).toContain(`rocm: [${[...ROCM_MAJORS].sort().join(', ')}]`)
    expect(matrix).toContain(`family: [${Object.keys(FAMILIES).join(', ')}]`)
  })

  it('publish with provenance from one of them alone', () => {
    expect(workflows.filter((name) => /id-token: write/.test(read('.github/workflows', name)))).toEqual([
      'release.yml',
    ])
    expect(read('scripts/release.mjs')).toContain('--provenance')
  })
})

describe('builders', () => {
  it('are one for the addon and one for each ROCm that has a package', () => {
    const rocms = [...ROCM_MAJORS].sort().map((rocm) => `rocm-${rocm}.Dockerfile`)
    expect(builders).toEqual(['glibc-2.28.Dockerfile', ...rocms])
  })

  it.each(['6', '7'] as const)('install what the tree with ROCm %s has', (rocm) => {
    const builder = read('scripts/builders', `rocm-${rocm}.Dockerfile`)
    for (const name of TOOLCHAINS[rocm].packages) expect(builder).toContain(` ${name}`)
    for (const pattern of TOOLCHAINS[rocm].experimental) expect(builder).toContain(` ${pattern}`)
  })
})

describe('packages', () => {
  it.each(readdirSync(join(root, 'packages')))('%s has the version of the library and all fields', (name) => {
    const manifest = JSON.parse(read('packages', name, 'package.json'))
    expect(manifest).toMatchObject({
      name: name === 'source' ? '@whisper-hip/source' : '{name}',
      version,
      license: 'MIT',
    })
    for (const field of ['description', 'homepage', 'bugs', 'repository', 'engines'])
      expect(manifest).toHaveProperty(field)
    const cpu = name === 'hip' ? ['x64'] : ['{arch}']
    if (name !== 'source') expect(manifest).toMatchObject({ os: ['linux'], cpu, libc: ['glibc'] })
  })
})
