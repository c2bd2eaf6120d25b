// @ts-check
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'

/**
 * Imports a module of lib/ into a script. Node does not read TypeScript: the module and those that it imports by relative
 * paths are translated into a folder of their own first; scripts go with them.
 * @param {string} root a folder that holds them all
 * @param {string} entry path of the module
 * @returns {Promise<Record<string, any>>}
 */
export async function importTypeScript(root, entry) {
  const folder = mkdtempSync(join(tmpdir(), 'whisper-hip-script-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const translated = new Set()
    /** @param {string} path */
    const translate = (path) => {
      if (translated.has(path)) return
      translated.add(path)
      const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.ESNext,
          verbatimModuleSyntax: true,
          rewriteRelativeImportExtensions: true,
        },
      })
      const target = join(folder, relative(root, path).replace(/\.ts$/, '.js'))
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, outputText)
      for (const [, name = ''] of outputText.matchAll(/from ['"](\.[^'"]+)\.js['"]/g))
        translate(join(dirname(path), `${name}.ts`))
      for (const [, name = ''] of outputText.matchAll(/from ['"](\.[^'"]+\.mjs)['"]/g))
        cpSync(join(dirname(path), name), join(dirname(target), name))
    }
    translate(entry)
    return await import(pathToFileURL(join(folder, relative(root, entry).replace(/\.ts$/, '.js'))).href)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
