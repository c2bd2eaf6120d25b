import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../../../lib/backend/package-root.ts'

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

  it('publish with provenance from one of them alone', () => {
    expect(workflows.filter((name) => /id-token: write/.test(read('.github/workflows', name)))).toEqual([
      'release.yml',
    ])
    expect(read('scripts/release.mjs')).toContain('--provenance')
  })
})

describe('builders', () => {
  it('are one for the addon and one for each ROCm that has a package', () => {
    const packages = readdirSync(join(root, 'packages')).flatMap(
      (name) => name.match(/-rocm(\d)$/)?.[1] ?? [],
    )
    expect(builders).toEqual(['glibc-2.28.Dockerfile', ...packages.map((rocm) => `rocm-${rocm}.Dockerfile`)])
  })

  it('install what the tree with ROCm has', () => {
    const tree = read('scripts/support/debian-tree.mjs')
    for (const name of ['hipcc', 'libamdhip64-dev', 'librocblas-dev', 'libhipblas-dev']) {
      expect(tree).toContain(name)
      for (const builder of builders.filter((each) => each.startsWith('rocm')))
        expect(read('scripts/builders', builder)).toContain(name)
    }
  })
})

describe('packages', () => {
  it.each(readdirSync(join(root, 'packages')))('%s has the version of the library and all fields', (name) => {
    const manifest = JSON.parse(read('packages', name, 'package.json'))
    expect(manifest).toMatchObject({ name: `@whisper-hip/${name}`, version, license: 'MIT' })
    for (const field of ['description', 'homepage', 'bugs', 'repository', 'engines'])
      expect(manifest).toHaveProperty(field)
    if (name !== 'source') expect(manifest).toMatchObject({ os: ['linux'], cpu: ['x64'], libc: ['glibc'] })
  })

  it('of ROCm are those that the library looks for', () => {
    const source = read('lib/backend/installed.ts').match(/ROCM_MAJORS = \[(.*)\]/)?.[1]
    const majors = readdirSync(join(root, 'packages')).flatMap((name) => name.match(/-rocm(\d)$/)?.[1] ?? [])
    expect(source?.split(', ').sort()).toEqual(majors)
  })
})
