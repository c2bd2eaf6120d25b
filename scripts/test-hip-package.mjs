#!/usr/bin/env node
// @ts-check
/**
 * Tests the package with a HIP module as users get it: `node scripts/test-hip-package.mjs [BUILD]`. BUILD is a folder with the module,
 * compiled for the oldest glibc (`WHISPER_HIP_GLIBC`); by default the one in the tree of scripts/rocm-toolchain.mjs.
 *
 * - It is packed and installed in an empty app without a compiler. On a made machine with a stand-in for ROCm, `whisper-hip doctor` finds
 *   the module, checks its hash, and comes to the trial.
 * - In that tree, without its compiler and development files, only the distribution's runtime and BLAS libraries are left. There `doctor`
 *   says that there is no GPU; with a made one, HIP itself says so in the trial; and without the BLAS libraries, `doctor` names them and their package.
 *
 * Needs root, `npm run build:lib` and `npm run prebuild`.
 */
import assert from 'node:assert/strict'
import { appendFileSync, copyFileSync, existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { checkFolder } from './check-elf.mjs'
import { insideTree, requireChroot } from './support/chroot.mjs'
import { COPY, readRocm, TOOLCHAINS, toolchainFolder } from './support/debian-tree.mjs'
import { GLIBC_FLOOR } from './support/glibc-floor.mjs'
import { importTypeScript } from './support/import-typescript.mjs'
import { packageRoot } from './support/package.mjs'
import { execute, packedApp } from './support/packed-app.mjs'
import { purposeOf } from './support/release-packages.mjs'
import { BUILD_REPORT_FILE } from './support/report.mjs'
import { BuildError, log, run } from './support/script.mjs'

const MODULE = 'libggml-hip.so'
const PREBUILD = join(packageRoot, 'prebuilds', 'linux-x64')
const STUB = join(packageRoot, 'build', 'test-hip', 'rocm', 'lib')

/** Leaves of a tree with a compiler what runs modules, and looks three times. Arguments: the packages that stay, BLAS libraries last. */
const IN_TREE = `
set -e
export DEBIAN_FRONTEND=noninteractive
apt-mark auto $(apt-mark showmanual) > /dev/null
apt-mark manual nodejs "$@" > /dev/null
apt-get -qq -y autopurge > /dev/null
for program in cc c++ clang++ hipcc cmake; do
  if command -v $program; then echo "$program is still there" >&2; exit 1; fi
done
look() { node /app/node_modules/.bin/whisper-hip doctor --json > "/app/$1.json" || true; }
look 'without a card'
export WHISPER_HIP_SYSROOT=/machine
look 'with a made card'
shift
apt-get -qq -y purge "$@" > /dev/null
look 'without BLAS'
`

/** @typedef {import('../lib/index.ts').BackendInfo} BackendInfo */

/**
 * An app with the packed packages.
 * @param {string} folder
 * @param {string} build
 */
async function makeApp(folder, build) {
  const { app, env, packages, install } = await packedApp(folder, ['--prebuild', PREBUILD, '--hip', build])
  const hip = packages.find(({ name }) => name.includes('-rocm'))
  if (!hip) throw new BuildError(`The release of ${build} has no package with a HIP module.`)
  await install(...packages.map(({ name }) => name).filter((name) => name !== '@whisper-hip/source'))
  const place = join(app, 'node_modules', hip.name)
  const { gpuTargets, hipVersion } = JSON.parse(readFileSync(join(place, BUILD_REPORT_FILE), 'utf8')).hip
  const size = [hip.bytes, hip.unpackedBytes].map((bytes) => `${(bytes / 1e6).toFixed(1)} MB`)
  log(`${hip.name}: HIP ${hipVersion} for ${gpuTargets.join(', ')}, ${size[0]}, unpacked ${size[1]}`)
  return { app, env, place }
}

/** @param {{ app: string, env: NodeJS.ProcessEnv }} where @param {NodeJS.ProcessEnv} more @returns {Promise<BackendInfo>} */
async function doctor({ app, env }, more) {
  const program = join(app, 'node_modules', '.bin', 'whisper-hip')
  const { stdout } = await execute(program, ['doctor', '--json'], app, { ...env, ...more }).catch(
    (error) => error,
  )
  return JSON.parse(stdout)
}

/** On a made machine with the stand-in for ROCm. @param {string} folder @param {string} build */
async function testOnStub(folder, build) {
  const where = await makeApp(folder, build)
  const module = join(where.place, MODULE)
  const machine = await madeMachine(firstChip(build))
  try {
    await execute(process.execPath, ['test/hip/build.mjs'], packageRoot, {
      ...process.env,
      WHISPER_HIP_LIBRARY: module,
    })
    const libraries = '/opt/rocm-6.4.1/lib'
    for (const name of readdirSync(STUB).filter((each) => each.includes('.so.')))
      copyFileSync(join(STUB, name), machine.path(join(libraries, name)))
    const env = {
      WHISPER_HIP_SYSROOT: machine.folder,
      WHISPER_HIP_CACHE: join(folder, 'cache'),
      LD_LIBRARY_PATH: machine.path(libraries),
      WHISPER_HIP_STUB: `gfx=${firstChip(build)}`,
    }
    const found = await doctor(where, env)
    // The stand-in computes nothing, which the trial finds out.
    assert.equal(found.reason, 'NUMERIC_MISMATCH', found.message)
    assert.ok(found.probe?.stages.some(({ name, ok }) => name === 'library' && ok))
    log(`doctor came to the trial of ${module}: ${found.message}`)

    appendFileSync(module, 'x')
    const damaged = await doctor(where, env)
    assert.equal(damaged.reason, 'BACKEND_LIBRARY_MISSING', damaged.message)
    assert.match(damaged.message, /is not the file that its build report names/)
    copyFileSync(join(build, MODULE), module)
    log(`doctor refused a changed module: ${damaged.message}`)
    return where.app
  } finally {
    machine.dispose()
  }
}

/** In a system with nothing of ROCm but what a user has. @param {string} app @param {string} build */
async function testOnRuntime(app, build) {
  const rocm = readRocm(String(purposeOf(build).rocm))
  const tree = toolchainFolder(rocm)
  const [runtime = '', ...blas] = TOOLCHAINS[rocm].runtime
  const machine = await madeMachine(firstChip(build))
  try {
    for (const name of ['opt', 'etc', 'usr']) machine.remove(`/${name}`)
    for (const name of ['lib', 'lib64']) symlinkSync(`usr/${name}`, machine.path(`/${name}`))
    const binds = [
      { from: app, to: '/app' },
      { from: machine.folder, to: '/machine' },
      // The libraries of the made machine are the real ones.
      ...['usr', 'etc'].map((name) => ({ from: join(tree, name), to: `/machine/${name}` })),
    ]
    const [program = '', ...args] = insideTree(tree, ['sh', '-c', IN_TREE, 'sh', runtime, ...blas], {
      binds,
      forget: true,
    })
    await execute(program, args, packageRoot, {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LC_ALL: 'C.UTF-8',
    })
    /** @param {string} name @returns {BackendInfo} */
    const read = (name) => JSON.parse(readFileSync(join(app, `${name}.json`), 'utf8'))

    const bare = read('without a card')
    assert.equal(bare.reason, 'NO_AMD_GPU', bare.message)
    assert.deepEqual(bare.notes, [], 'doctor found something else amiss where only the card is')
    log(`without a card: ${bare.message}`)

    const tried = read('with a made card')
    assert.equal(tried.reason, 'HIP_INIT_FAILED', tried.message)
    assert.match(tried.message, /no ROCm-capable device/)
    log(`with a made card: ${tried.message}`)

    const lacking = read('without BLAS')
    const [hipblas = ''] = blas
    assert.equal(lacking.reason, 'HIP_RUNTIME_MISSING', lacking.message)
    assert.match(lacking.message, /libhipblas\.so\.\d/)
    assert.match(lacking.advice[0] ?? '', new RegExp(`apt install .*\\b${hipblas}\\b`))
    log(`without BLAS: ${lacking.message}. ${lacking.advice[0]}`)
  } finally {
    machine.dispose()
  }
}

/** @param {string} build @returns {string} a chip that the module has code for */
const firstChip = (build) =>
  JSON.parse(readFileSync(join(build, BUILD_REPORT_FILE), 'utf8')).hip.gpuTargets[0]

/** A card with a chip, its driver, and a ROCm that is to be replaced. @param {string} chip */
async function madeMachine(chip) {
  const fixtures = join(packageRoot, 'test', 'fixtures')
  const { healthyMachine } = await importTypeScript(fixtures, join(fixtures, 'sysroot.ts'))
  const [, major, minor = '', step = ''] = /^gfx(\d+)(.)(.)$/.exec(chip) ?? []
  const gfx = Number(major) * 10000 + Number.parseInt(minor, 16) * 100 + Number.parseInt(step, 16)
  return healthyMachine()
    .remove('/sys/class/kfd/kfd/topology/nodes/1')
    .remove('/sys/bus/pci/devices/0000:03:00.0')
    .gpu({ gfx, name: `Radeon with ${chip}` })
    .rocm({ kernels: [chip] })
}

await run(async () => {
  requireChroot()
  const build = resolve(process.argv[2] ?? join(toolchainFolder('6'), COPY, 'build', 'Release'))
  for (const folder of [PREBUILD, build])
    if (!existsSync(folder)) throw new BuildError(`${folder} is missing.`)
  const { glibc } = JSON.parse(readFileSync(join(build, BUILD_REPORT_FILE), 'utf8'))
  assert.equal(glibc, GLIBC_FLOOR, `${build} is not for the oldest glibc`)
  assert.deepEqual(checkFolder(build), [])
  const folder = await mkdtemp(join(tmpdir(), 'whisper-hip package '))
  try {
    await testOnRuntime(await testOnStub(folder, build), build)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
