import { writeFile } from 'node:fs/promises'
import { defineConfig } from 'tsup'

/**
 * One CommonJS build holds all state: the loaded addon, its models and the class WhisperHipError exist once in a process
 * that uses both `require` and `import`. The ESM entry passes the names on. The program of isolated models is started, never
 * imported.
 */
export default defineConfig({
  entry: { index: 'lib/index.ts', 'isolated-child': 'lib/isolation/child.ts' },
  format: 'cjs',
  target: 'node20',
  platform: 'node',
  dts: { entry: { index: 'lib/index.ts' } },
  sourcemap: true,
  clean: false, // it would also remove the declarations that onSuccess writes
  shims: true,
  splitting: false,
  async onSuccess() {
    const passOn = "export * from './index.js'\n"
    await writeFile('dist/index.mjs', passOn)
    await writeFile('dist/index.d.mts', passOn)
  },
})
