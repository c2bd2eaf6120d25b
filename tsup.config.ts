import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { defineConfig, type Options } from 'tsup'

const common: Options = {
  format: 'cjs',
  target: 'node20',
  platform: 'node',
  sourcemap: true,
  clean: false, // it would also remove the declarations that onSuccess writes
  inject: ['scripts/support/import-meta-url.mjs'],
  define: { 'import.meta.url': 'importMetaUrl' },
  splitting: false,
}

/** Modules that must exist once in a process: the command line takes them from the library. */
const shared = ['lib/index.ts', 'lib/errors.ts'].map((path) => resolve(path))

const fromLibrary: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'from the library',
  setup({ onResolve }) {
    onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir, kind }) =>
      kind !== 'entry-point' && shared.includes(resolve(resolveDir, path))
        ? { path: './index.js', external: true }
        : undefined,
    )
  },
}

/**
 * The ESM entry asks for the package by its name. In the bundle of an application, too, that is the one that is installed: bundlers leave the call
 * as it is, and the code stays beside the addon. A static import of CommonJS would not survive esbuild, which has no `require` in ES modules.
 */
async function esmEntry(library: string): Promise<string> {
  const names = Object.keys(createRequire(import.meta.url)(resolve(library))).sort()
  return `import { createRequire } from 'node:module'

// A bundle in CommonJS has no URL; where there is no file name either, the program stands for the bundle.
const here = import.meta.url ?? (typeof __filename === 'string' ? __filename : (process.argv[1] ?? process.execPath))

function load() {
  try {
    return createRequire(here)('whisper-hip')
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND' || !error.message.includes("'whisper-hip'")) throw error
    throw new Error('whisper-hip is not installed where this bundle runs, and its native addon cannot be bundled: install it beside the bundle', { cause: error })
  }
}

export const { ${names.join(', ')} } = load()
`
}

/**
 * One CommonJS build holds all state: the loaded addon, its models and the class WhisperHipError exist once in a process
 * that uses both `require` and `import`. The ESM entry passes the names on, and the command line uses it as any program does. The
 * program of isolated models is started, never imported.
 */
export default defineConfig([
  {
    ...common,
    entry: { index: 'lib/index.ts', 'isolated-child': 'lib/isolation/child.ts' },
    dts: { entry: { index: 'lib/index.ts' } },
    async onSuccess() {
      await writeFile('dist/index.mjs', await esmEntry('dist/index.js'))
      await writeFile('dist/index.d.mts', "export * from './index.js'\n")
    },
  },
  { ...common, entry: { cli: 'lib/cli/main.ts' }, esbuildPlugins: [fromLibrary] },
])
