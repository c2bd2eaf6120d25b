import { writeFile } from 'node:fs/promises'
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
      const passOn = "export * from './index.js'\n"
      await writeFile('dist/index.mjs', passOn)
      await writeFile('dist/index.d.mts', passOn)
    },
  },
  { ...common, entry: { cli: 'lib/cli/main.ts' }, esbuildPlugins: [fromLibrary] },
])
