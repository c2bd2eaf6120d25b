import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { extract } from 'tar'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { buildSpeaking } from '../fixtures/speaking-model.ts'
import { runChild } from './child.ts'

/** The packages of a release, made of the build of this checkout (`npm run build:lib` and a build). */

const start = promisify(execFile)
const root = packageRoot()
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'whisper hip release '))
afterAll(() => rmSync(folder, { recursive: true }))

const build = join(folder, 'build')
const withHip = join(folder, 'build with HIP')
const forArm = join(folder, 'build for ARM')
const MODULE = 'libggml-hip.so'
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

function makeRelease(out: string, ...more: string[]) {
  const script = join(root, 'scripts/release.mjs')
  const args = ['--dry-run', '--out', join(folder, out), '--prebuild', build, ...more]
  return start(process.execPath, [script, ...args], { cwd: folder })
}

beforeAll(() => {
  cpSync(dirname(addon().path), build, { recursive: true })
  cpSync(build, withHip, { recursive: true })
  const reportPath = join(withHip, 'build-report.json')
  const report = JSON.parse(readFileSync(reportPath, 'utf8'))
  writeFileSync(join(withHip, MODULE), 'a stand-in for the module')
  report.built.hip = MODULE
  report.hip = {
    ...report.hip,
    built: true,
    hipVersion: '7.2.4',
    gpuTargets: ['gfx1100'],
    rocm: '/opt/made-rocm',
  }
  report.sha256 = { ...report.sha256, [MODULE]: sha256(join(withHip, MODULE)) }
  writeFileSync(reportPath, JSON.stringify(report))
  cpSync(build, forArm, { recursive: true })
  const armReport = JSON.parse(readFileSync(join(forArm, 'build-report.json'), 'utf8'))
  writeFileSync(join(forArm, 'build-report.json'), JSON.stringify({ ...armReport, arch: 'arm64' }))
})

/** The packages as they lie in an application. */
async function install(out: string): Promise<string> {
  const modules = join(folder, `app of ${out}`, 'node_modules')
  const { packages } = JSON.parse(readFileSync(join(folder, out, 'manifest.json'), 'utf8'))
  for (const { name, file } of packages) {
    mkdirSync(join(modules, name), { recursive: true })
    await extract({ file: join(folder, out, file), cwd: join(modules, name), strip: 1 })
  }
  for (const name of [
    'bindings',
    'file-uri-to-path',
    'node-gyp-build',
    'pend',
    'yauzl',
    'commander',
    'node-addon-api',
    'node-api-headers',
  ])
    cpSync(join(root, 'node_modules', name), join(modules, name), { recursive: true })
  return modules
}

describe('a release', () => {
  let modules: string
  beforeAll(async () => {
    await makeRelease('first', '--hip', withHip)
    modules = await install('first')
  })

  it('has all packages, with their checksums in a manifest', () => {
    const { packages } = JSON.parse(readFileSync(join(folder, 'first/manifest.json'), 'utf8'))
    expect(packages.map(({ name }: { name: string }) => name)).toEqual([
      '@whisper-hip/linux-x64',
      '@whisper-hip/source',
      '@whisper-hip/linux-x64-rocm7-rdna3',
      'whisper-hip',
    ])
    const sums = readFileSync(join(folder, 'first/SHA256SUMS'), 'utf8')
    for (const packed of packages) {
      const path = join(folder, 'first', packed.file)
      expect(packed).toMatchObject({ sha256: sha256(path), bytes: statSync(path).size })
      expect(sums).toContain(`${packed.sha256}  ${packed.file}\n`)
    }
  })

  it('makes the same bytes again, and nothing that is there already', async () => {
    const { stderr } = await makeRelease('second', '--hip', withHip)
    expect(stderr).not.toContain('up to date')
    const again = await makeRelease('second', '--hip', withHip)
    expect(again.stderr.match(/is up to date/g)).toHaveLength(4)
    for (const name of ['manifest.json', 'SHA256SUMS', 'sbom.cdx.json'])
      expect(readFileSync(join(folder, 'second', name), 'utf8')).toBe(
        readFileSync(join(folder, 'first', name), 'utf8'),
      )
  })

  it('runs: the library finds the addon in the package beside it', async () => {
    const model = join(folder, 'model.bin')
    writeFileSync(
      model,
      buildSpeaking({ script: [{ text: ' Hello.', start: 0, end: 3 }], audioContext: 64, layers: 1 }),
    )
    const env = { SMALL_MODEL: model, WHISPER_HIP_CACHE: join(folder, 'cache') }
    const ended = await runChild('packed.cjs', [join(modules, 'whisper-hip'), 'info', 'transcribe'], { env })
    const { info, transcribe } = JSON.parse(ended.stdout)
    expect(info.addon).toContain(join(modules, '@whisper-hip/linux-x64'))
    expect(transcribe).toContain('Hello')
  })

  it('runs nothing at the installation, and has neither source maps nor sources in the library', () => {
    const read = (name: string) => JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'))
    for (const name of [
      'whisper-hip',
      ...readdirSync(join(modules, '@whisper-hip')).map((each) => `@whisper-hip/${each}`),
    ]) {
      expect(read(name)).not.toHaveProperty('scripts')
      expect(read(name)).not.toHaveProperty('devDependencies')
      expect(read(name)).toMatchObject({
        version,
        license: 'MIT',
        repository: { type: 'git' },
        homepage: expect.any(String),
      })
      for (const text of ['LICENSE', 'README.md', 'THIRD_PARTY_LICENSES'])
        expect(existsSync(join(modules, name, text)), `${text} of ${name}`).toBe(true)
    }
    const library = read('whisper-hip')
    expect(Object.keys(library.dependencies).sort()).toEqual([
      'bindings',
      'commander',
      'node-gyp-build',
      'yauzl',
    ])
    expect(library.optionalDependencies).toEqual({ '@whisper-hip/linux-x64': version })
    expect(Object.values(library.peerDependenciesMeta)).toEqual(Array(11).fill({ optional: true }))
    expect(readdirSync(join(modules, 'whisper-hip/dist')).filter((name) => name.endsWith('.map'))).toEqual([])
    expect(existsSync(join(modules, 'whisper-hip/binding'))).toBe(false)
    expect(read('@whisper-hip/linux-x64')).toMatchObject({ os: ['linux'], cpu: ['x64'], libc: ['glibc'] })
  })

  it('has a package for each processor, of which an installation takes its own', async () => {
    await makeRelease('both', '--prebuild', forArm)
    const both = await install('both')
    const read = (name: string) => JSON.parse(readFileSync(join(both, name, 'package.json'), 'utf8'))
    expect(read('whisper-hip').optionalDependencies).toEqual({
      '@whisper-hip/linux-x64': version,
      '@whisper-hip/linux-arm64': version,
    })
    expect(read('@whisper-hip/linux-arm64')).toMatchObject({ os: ['linux'], cpu: ['arm64'], libc: ['glibc'] })
    expect(read('@whisper-hip/linux-arm64').description).toContain('Linux on 64-bit ARM')
  })

  it('is not published without one of them', async () => {
    const args = ['--out', join(folder, 'half'), '--prebuild', build]
    const script = join(root, 'scripts/release.mjs')
    const failure = await start(process.execPath, [script, ...args], { cwd: folder }).catch((error) => error)
    expect(failure).toMatchObject({ code: 1, stderr: expect.stringContaining('--prebuild for arm64') })
    expect(existsSync(join(folder, 'half'))).toBe(false)
  })

  it('has the HIP module alone in its package, with its hash and no folder of the machine that compiled it', () => {
    const place = join(modules, '@whisper-hip/linux-x64-rocm7-rdna3')
    const report = JSON.parse(readFileSync(join(place, 'build-report.json'), 'utf8'))
    expect(Object.keys(report.sha256)).toEqual([MODULE])
    expect(JSON.stringify(report)).not.toContain('made-rocm')
    expect(readFileSync(join(place, 'SHA256SUMS'), 'utf8')).toBe(
      `${sha256(join(place, MODULE))}  ${MODULE}\n`,
    )
    expect(existsSync(join(place, report.built.addon))).toBe(false)
  })

  it('has sources that the build command finds and that are all it needs', async () => {
    const env = { ...process.env, PATH: '/nowhere', WHISPER_HIP_CACHE: join(folder, 'cache') }
    const cli = join(modules, 'whisper-hip/dist/cli.js')
    const failure = await start(process.execPath, [cli, 'build', '--cpu'], { env }).catch((error) => error)
    expect(failure.code).toBe(1)
    expect(failure.stderr).toContain('No C++ compiler was found in PATH')
  })
})

describe('a release is refused', () => {
  it('of a build that is damaged', async () => {
    writeFileSync(join(withHip, MODULE), 'something else')
    const failure = await makeRelease('damaged', '--hip', withHip).catch((error) => error)
    expect(failure.stderr).toContain(`${withHip} is not what was built: ${MODULE}`)
  })

  it('of a module that is too large to install, however well it is packed', async () => {
    const reportPath = join(withHip, 'build-report.json')
    const report = JSON.parse(readFileSync(reportPath, 'utf8'))
    writeFileSync(join(withHip, MODULE), Buffer.alloc(61_000_000))
    report.sha256[MODULE] = sha256(join(withHip, MODULE))
    writeFileSync(reportPath, JSON.stringify(report))
    const failure = await makeRelease('large', '--hip', withHip).catch((error) => error)
    expect(failure.stderr).toMatch(
      /whisper-hip-linux-x64-rocm7-rdna3-\S+ has \d{5,6} bytes, unpacked 61\d{6}, and 60000000 are allowed/,
    )
  })

  it.each(['--rocm=5', '--targets=gfx900'])('with %s', async (option) => {
    const failure = await makeRelease('wrong', option).catch((error) => error)
    expect(failure.stderr).toMatch(/Expected 6 or 7 for --rocm|There is no package for gfx900/)
  })

  it('of a ROCm for which there is no package', async () => {
    const failure = await makeRelease('old', '--hip', build).catch((error) => error)
    expect(failure.stderr).toMatch(/There is no package for the module in .*, of HIP null/)
  })
})
