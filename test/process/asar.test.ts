import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { folder, makeMaterials, materials, runChild } from './child.ts'

beforeAll(makeMaterials)

const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
const text = 'This is number 0. This is number 1.'
const companions = ['bindings', 'file-uri-to-path', 'node-gyp-build', 'pend', 'yauzl']

/**
 * An application as a packager leaves it. The folder `app.asar` is an imitation: it shows to this Node what Electron's patched `fs` and
 * `require` find in the archive of that name. The files that native code and other processes open lie beside it, and only there.
 */
function makeApplication(name: string): { packed: string; unpacked: string } {
  const [packed = '', unpacked = ''] = ['app.asar', 'app.asar.unpacked'].map((archive) => {
    const modules = join(folder, name, 'resources', archive, 'node_modules')
    mkdirSync(join(modules, 'whisper-hip'), { recursive: true })
    for (const part of ['dist', 'package.json'])
      cpSync(join(packageRoot(), part), join(modules, 'whisper-hip', part), { recursive: true })
    for (const companion of companions)
      cpSync(join(packageRoot(), 'node_modules', companion), join(modules, companion), { recursive: true })
    return join(modules, 'whisper-hip')
  })
  cpSync(dirname(materials.ADDON), join(unpacked, 'build/Release'), { recursive: true })
  for (const part of ['vendor/silero-vad', 'vendor/whisper-vocabulary'])
    cpSync(join(packageRoot(), part), join(unpacked, part), { recursive: true })
  return { packed, unpacked }
}

async function use(packed: string, ...ways: string[]) {
  const ended = await runChild('packed.cjs', [packed, ...ways])
  expect(ended).toMatchObject({ code: 0, signal: null })
  return JSON.parse(ended.stdout)
}

const missing = (path: string) => ({
  code: 'ERR_NATIVE_MISSING',
  message: expect.stringContaining(`${path} is missing`),
  advice: [expect.stringContaining('asarUnpack: ['), expect.stringContaining('packagerConfig.asar.unpack: ')],
})

describe('packed into app.asar', () => {
  it('the library uses what was unpacked, here and in a process of its own', async () => {
    const { packed, unpacked } = makeApplication('all unpacked')
    const outcomes = await use(packed, 'info', 'transcribe', 'vad', 'isolated')
    expect(outcomes).toMatchObject({ transcribe: text, isolated: text })
    expect(outcomes.vad).not.toHaveProperty('code')
    expect(JSON.stringify(outcomes.info)).toContain(unpacked)
    expect(JSON.stringify(outcomes.info)).not.toContain('app.asar/')
  })

  it('it says what to unpack where nothing was', async () => {
    const { packed, unpacked } = makeApplication('nothing unpacked')
    rmSync(dirname(dirname(unpacked)), { recursive: true })
    const outcomes = await use(packed, 'transcribe', 'vad', 'isolated')
    expect(outcomes.transcribe).toMatchObject(missing(unpacked))
    expect(outcomes.vad.code).toBe('ERR_NATIVE_MISSING')
    expect(outcomes.isolated).toMatchObject(missing(join(unpacked, 'dist/isolated-child.js')))
  })

  it.each([
    ['*.node alone was', 'build/Release/build-report.json', 'transcribe'],
    ['the core library was not', `build/Release/libggml-base-whisper-hip-${version}.so`, 'transcribe'],
    ['the network was not', 'vendor/silero-vad/silero_vad_16k_op15.onnx', 'vad'],
    ['no build was', 'build/Release/whisper_hip.node', 'transcribe'],
    ['a package that the process of a model needs was not', '../yauzl', 'isolated'],
  ])('it says what to unpack where %s', async (name, lost, way) => {
    const { packed, unpacked } = makeApplication(name.replace('*', 'any'))
    rmSync(join(unpacked, lost), { recursive: true })
    expect(await use(packed, way)).toMatchObject({ [way]: missing(join(unpacked, lost)) })
  })
})
