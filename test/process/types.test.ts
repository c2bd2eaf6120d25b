import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { allSnippets, packageRoot, readProject, typeErrors, withApp } from '../fixtures/snippets.ts'

// Against dist/, as users see it.
const project = join(packageRoot, 'test/types/tsconfig.json')
/** Programs in JavaScript, as an editor checks them: what is thrown may have any shape. */
const javascript = {
  allowJs: true,
  checkJs: true,
  exactOptionalPropertyTypes: false,
  noImplicitAny: false,
  skipLibCheck: true,
  useUnknownInCatchVariables: false,
  typeRoots: [join(packageRoot, 'node_modules/@types')],
}

describe('types', () => {
  it('keep their promises to ES modules and to CommonJS', () => {
    expect(typeErrors(readProject(project))).toEqual([])
  })

  it('fit the examples', () => {
    const folder = join(packageRoot, 'examples')
    const files = readdirSync(folder)
      .filter((name) => /\.[cm]?[jt]s$/.test(name))
      .map((name) => join(folder, name))
    expect(files.length).toBeGreaterThan(2)
    expect(typeErrors(readProject(project, files, javascript))).toEqual([])
  })

  it('fit the snippets of the documentation', async () => {
    const errors = await withApp(async (app) => {
      const files = await Promise.all(
        allSnippets().map(async ({ where, extension, code }) => {
          const file = join(app, `${where.replaceAll(/\W/g, '_')}.${extension}`)
          await writeFile(file, code)
          return file
        }),
      )
      return typeErrors(readProject(project, files, javascript))
    })
    expect(errors).toEqual([])
  })
})
