import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../../../lib/backend/package-root.ts'

const root = packageRoot()
const TEXTS = new Set([
  '.md',
  '.ts',
  '.mjs',
  '.cjs',
  '.cpp',
  '.h',
  '.cu',
  '.cmake',
  '.txt',
  '.Dockerfile',
  '.yml',
  '.json',
  '',
])
const PLACES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'package.json', 'CMakeLists.txt']
const FOLDERS = ['bench', 'binding', 'docs', 'examples', 'lib', 'scripts']

const files = [
  ...PLACES.map((name) => join(root, name)),
  ...FOLDERS.flatMap((name) => filesIn(join(root, name))),
]

function filesIn(folder: string): string[] {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .flatMap((path) =>
      statSync(path).isDirectory() ? filesIn(path) : TEXTS.has(extname(path)) ? [path] : [],
    )
}

const found = (pattern: RegExp) =>
  files.filter((path) => pattern.test(readFileSync(path, 'utf8'))).map((path) => relative(root, path))

describe('what people are told to type', () => {
  it('is looked for in many files', () => {
    expect(files.length).toBeGreaterThan(300)
  })

  it('never is `npm rebuild`, with which package managers end well and compile nothing', () => {
    expect(found(/\b(npm|pnpm|yarn|bun) rebuild\b/)).toEqual([])
  })

  it('never is an install with a variable, for the same cause', () => {
    expect(
      found(/WHISPER_HIP_BUILD=\w+[^\n]* (npm|pnpm|yarn|bun) (install|add|ci|rebuild)\b.*whisper-hip/),
    ).toEqual([])
  })

  it('is `npx whisper-hip build --hip` for the GPU module, on every page that is about it', () => {
    const pages = [
      'README.md',
      'docs/backends.md',
      'docs/ci.md',
      'docs/cli.md',
      'docs/hip-build.md',
      'docs/troubleshooting.md',
    ]
    for (const page of pages)
      expect(readFileSync(join(root, page), 'utf8')).toContain('npx whisper-hip build --hip')
  })
})
