import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build, type Format } from 'esbuild'
import { beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { folder, makeMaterials, materials } from './child.ts'

/** The library inside the bundle of an application, for those who did not mark it as external. */

const start = promisify(execFile)
beforeAll(makeMaterials)

const SOURCE = `
  import { loadModel, WhisperHipError } from 'whisper-hip'
  const hum = Float32Array.from({ length: 16_000 * 5 }, (_, i) => 0.3 * Math.sin(i / 7))
  async function main() {
    const answers = {}
    for (const isolation of ['none', 'process']) {
      try {
        const model = await loadModel(process.env.SMALL_MODEL, { backend: 'cpu', isolation })
        const { text } = await model.transcribe(hum, { language: 'en', beamSize: 1, temperature: 0 })
        answers[isolation] = text
        await model.dispose()
      } catch (error) {
        answers[isolation] = [error instanceof WhisperHipError, error.code, error.message]
      }
    }
    console.log(JSON.stringify(answers))
  }
  main()`

async function bundle(name: string, format: Format, installed: boolean, define: Record<string, string> = {}) {
  const app = join(folder, name)
  mkdirSync(join(app, 'node_modules'), { recursive: true })
  mkdirSync(join(app, 'dist'))
  symlinkSync(packageRoot(), join(app, 'node_modules/whisper-hip'))
  writeFileSync(join(app, 'app.ts'), SOURCE)
  const file = format === 'esm' ? 'app.mjs' : 'app.cjs'
  const outfile = installed ? join(app, 'dist', file) : join(folder, `${name} elsewhere`, file)
  await build({
    entryPoints: [join(app, 'app.ts')],
    bundle: true,
    platform: 'node',
    format,
    define,
    outfile,
    logLevel: 'error',
  })
  const { stdout } = await start(process.execPath, [outfile], { env: { ...process.env, ...materials } })
  return JSON.parse(stdout)
}

const text = 'This is number 0. This is number 1.'

describe.each<Format>(['esm', 'cjs'])('a bundle by esbuild, %s', (format) => {
  it('uses the package that is installed beside it', async () => {
    expect(await bundle(`beside ${format}`, format, true)).toEqual({ none: text, process: text })
  })

  it('says what to do where the package is not installed', async () => {
    const outcome = await bundle(`alone ${format}`, format, false).catch(({ stderr }) => stderr)
    expect(outcome).toContain('whisper-hip is not installed where this bundle runs')
  })
})

it('a bundle that is an ES module and knows no URL uses the package beside the program', async () => {
  const nowhere = { 'import.meta.url': 'undefined' }
  expect(await bundle('no url', 'esm', true, nowhere)).toEqual({ none: text, process: text })
})
