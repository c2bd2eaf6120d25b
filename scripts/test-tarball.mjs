#!/usr/bin/env node
// @ts-check
/**
 * Tests what users get: makes the packages of a release and installs them into an empty app (in a path with a space), where
 * PATH has neither a compiler nor CMake, then transcribes there by `require` and by `import`. Also without the package that has the
 * addon, as after an install without optional packages: `whisper-hip doctor` must say what to do, and `whisper-hip build` must fail with
 * advice where there is no compiler, and compile where there is one.
 *
 * Needs `npm run prebuild` and a model: WHISPER_HIP_TEST_MODEL=PATH, or `base` in the cache.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkFolder } from './check-elf.mjs'
import { cachedModel } from './support/cached-model.mjs'
import { packageRoot } from './support/package.mjs'
import { execute, packedApp, userEnvironment } from './support/packed-app.mjs'
import { BuildError, log, run } from './support/script.mjs'

const AUDIO = join(packageRoot, 'vendor/whisper.cpp/bindings/go/samples/jfk.wav')
const WORDS = /ask not what your country can do for you/i

/** Runs in the app; prints the text of the recording and what ran it, as JSON. */
const TRANSCRIBE = `
  const [audio, model] = process.argv.slice(-2)
  const { text, stats } = await transcribe(audio, { model, language: 'en' })
  const { libraries } = await backendInfo()
  console.log(JSON.stringify({ text, backend: stats.backend, addon: libraries.addon }))`
const PROGRAMS = {
  'by-require.cjs': `const { transcribe, backendInfo } = require('whisper-hip');\n(async () => {${TRANSCRIBE}\n})()`,
  'by-import.mjs': `import { transcribe, backendInfo, WhisperHipError } from 'whisper-hip'
  import { createRequire } from 'node:module'
  if (createRequire(import.meta.url)('whisper-hip').WhisperHipError !== WhisperHipError) throw new Error('two copies')
  ${TRANSCRIBE}`,
}

/**
 * @param {string} app
 * @param {NodeJS.ProcessEnv} env
 * @param {string} model
 * @param {string} addon path of the addon that must have been used, in node_modules
 */
async function transcribe(app, env, model, addon) {
  for (const program of Object.keys(PROGRAMS)) {
    const { stdout } = await execute(process.execPath, [program, AUDIO, model], app, env)
    const result = JSON.parse(stdout)
    assert.match(result.text, WORDS)
    assert.equal(result.backend, 'cpu')
    assert.equal(result.addon, join(app, 'node_modules', addon))
    log(`${program}: ${result.text.trim()}`)
  }
  const program = join(app, 'node_modules/.bin/whisper-hip')
  const { stdout } = await execute(
    program,
    ['transcribe', AUDIO, '--model', model, '--backend', 'cpu'],
    app,
    env,
  )
  assert.match(stdout, WORDS)
  log(`whisper-hip transcribe: ${stdout.trim()}`)
}

/** @param {string} folder */
async function testTarball(folder) {
  const prebuild = `prebuilds/${process.platform}-${process.arch}`
  if (!existsSync(join(packageRoot, prebuild)))
    throw new BuildError(`${prebuild} is missing: run \`npm run prebuild\`.`)
  const model = await cachedModel('base')

  const { app, env: poor, install } = await packedApp(folder, ['--prebuild', join(packageRoot, prebuild)])
  const system = `@whisper-hip/${process.platform}-${process.arch}`
  const installed = join(app, 'node_modules/whisper-hip')
  for (const [name, text] of Object.entries(PROGRAMS)) await writeFile(join(app, name), text)
  await install('whisper-hip', system)
  await transcribe(app, poor, model, `${system}/whisper-hip.node`)

  await rm(join(app, 'node_modules', system), { recursive: true })
  await install('@whisper-hip/source')
  await rm(join(app, 'node_modules', system), { recursive: true, force: true })
  const program = join(app, 'node_modules/.bin/whisper-hip')
  /** @param {...string} args */
  const refused = async (...args) => {
    const failure = await execute(program, args, app, poor).catch((error) => error)
    assert.equal(failure.code, 1, `whisper-hip ${args.join(' ')} passed with nothing to run`)
    return failure
  }
  assert.match((await refused('doctor')).stdout, /NATIVE_MISSING: [\s\S]*1\. .*\s+npx whisper-hip build\n/)
  assert.match(
    (await refused('build', '--cpu')).stderr,
    /No C\+\+ compiler was found in PATH.*cmake was not found in PATH/,
  )
  assert.match((await refused('build', '--hip')).stderr, /HIP module cannot be built/)
  log('without addon and compiler, doctor and build say what is missing')

  await execute(program, ['build', '--cpu'], app, userEnvironment)
  assert.deepEqual(checkFolder(join(installed, 'build/Release')), [])
  await transcribe(app, poor, model, 'whisper-hip/build/Release/whisper_hip.node')
  log('compiled from the sources in the package')
}

await run(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'whisper-hip tarball '))
  try {
    await testTarball(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
