import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { catalogue, downloadBytes } from '../../../lib/model/catalogue.ts'
import { transcribeOptionNames } from '../../../lib/transcribe/options.ts'
import { renderApi } from '../../../scripts/api-docs.mjs'
import { withTables } from '../../../scripts/memory-table.mjs'
import { packageRoot, pages } from '../../fixtures/snippets.ts'

const read = (path: string) => readFileSync(join(packageRoot, path), 'utf8')

/** The strings of a union type in a source file. */
function stringsOf(path: string, type: string): string[] {
  const source = ts.createSourceFile(path, read(path), ts.ScriptTarget.ESNext, true)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node)) found.push(node.text)
    ts.forEachChild(node, visit)
  }
  for (const statement of source.statements)
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === type) visit(statement)
  expect(found.length).toBeGreaterThan(1)
  return found
}

const headingsOf = (page: string) => [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => text)

/** As GitHub and npm make it from a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

function filesUnder(folder: string): string[] {
  return readdirSync(join(packageRoot, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

describe('the reference', () => {
  it('is what scripts/api-docs.mjs makes of the comments', { timeout: 60_000 }, () => {
    expect(read('docs/api.md')).toBe(renderApi())
  })

  it('has every option', () => {
    const text = read('docs/api.md')
    for (const name of transcribeOptionNames) expect(text).toContain(`- \`${name}?: `)
  })
})

describe('the pages', () => {
  it.each(pages())('%s links to what is there', (page) => {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      expect(existsSync(join(packageRoot, file)), `${page} links to ${target}`).toBe(true)
      if (anchor !== undefined) expect(headingsOf(file).map(anchorOf)).toContain(anchor)
    }
  })

  it('explain every error code under a heading of its own', () => {
    const headings = headingsOf('docs/troubleshooting.md').filter((heading) => heading.startsWith('ERR_'))
    expect(headings.toSorted()).toEqual(stringsOf('lib/errors.ts', 'ErrorCode').toSorted())
  })

  it('explain every reason of the backend, in a row of a table or under a heading', () => {
    const text = pages().map(read).join('\n')
    for (const reason of stringsOf('lib/backend/types.ts', 'BackendReason'))
      expect(text).toMatch(new RegExp(`^(\\| \`${reason}\` \\| .{10}|#+ \`?${reason}\`?$)`, 'm'))
  })

  it('explain every variable of the environment, and no other', () => {
    const variable = /\bWHISPER_HIP_[A-Z_]*[A-Z]\b(?!=ON)/g
    const code = ['lib', 'scripts'].flatMap(filesUnder).map((path) => readFileSync(path, 'utf8'))
    const used = new Set(code.join('\n').match(/(?<=\benv(ironment)?\.|')WHISPER_HIP_\w+(?=\W)/g))
    for (const found of code.join('\n').matchAll(/\{ ([A-Z_, ]+) \} = process\.env/g))
      for (const name of found[1]?.split(', ') ?? []) if (name.startsWith('WHISPER_HIP_')) used.add(name)
    const explained = new Set(pages().flatMap((page) => read(page).match(variable) ?? []))
    for (const warning of ['WHISPER_HIP_CALLBACK', 'WHISPER_HIP_CPU', 'WHISPER_HIP_LOGGER']) {
      explained.delete(warning)
      used.delete(warning)
    }
    expect([...explained].toSorted()).toEqual([...used].filter((name) => !/_TEST_/.test(name)).toSorted())
  })

  it('list the catalogue', () => {
    const rows = [
      ...read('docs/models.md').matchAll(/^\| (`[\w.`, -]+`) \| (\d+) million \| .* \| (\d+) MB \|/gm),
    ]
    const listed = rows.map(([, names = '', millions, megabytes]) => ({
      names: names.replaceAll('`', '').split(', '),
      parameters: Number(millions) * 1e6,
      megabytes: Number(megabytes),
    }))
    expect(listed).toEqual(
      catalogue.map(({ name, aliases, parameters, sources }) => ({
        names: [name, ...aliases],
        parameters,
        megabytes: Math.round(downloadBytes(sources[0] as (typeof sources)[number]) / 1e6),
      })),
    )
  })
})

describe('the tables of memory', () => {
  it('are what scripts/memory-table.mjs makes of the formula', async () => {
    const page = read('docs/models.md')
    expect(await withTables(page)).toBe(page)
  })
})

describe('the changelog', () => {
  it('begins with the version of the package', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string }
    expect(/^## \[(.+?)\]/m.exec(read('CHANGELOG.md'))?.[1]).toBe(version)
  })
})
