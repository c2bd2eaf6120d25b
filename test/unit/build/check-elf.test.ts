import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkFile, checkFolder } from '../../../scripts/check-elf.mjs'

/** Libraries compiled here: what a good one needs is known, and each bad one lacks exactly one thing. */
let folder: string
const SOURCE = `
#ifndef MORE
#define MORE 0
#endif
static thread_local char data[256 + MORE];
extern "C" int napi_register_module_v1() { return data[0]; }
#ifdef EXTRA
extern "C" int ggml_init() { return 1; }
#endif
`
const GOOD = [
  '-Wl,-rpath,$ORIGIN',
  '-Wl,--enable-new-dtags',
  '-Wl,-z,relro',
  '-Wl,-z,now',
  '-Wl,-z,noexecstack',
]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'elf '))
  writeFileSync(join(folder, 'source.cpp'), SOURCE)
})
afterAll(() => rmSync(folder, { recursive: true }))

function compile(name: string, flags: string[]): string {
  const path = join(folder, name)
  const args = ['-shared', '-fPIC', '-o', path, join(folder, 'source.cpp'), ...flags]
  const { status, stderr } = spawnSync('g++', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return path
}

describe('check-elf', () => {
  it('passes a library that keeps the rules', () => {
    expect(checkFile(compile('good.node', GOOD), ['/nowhere'])).toEqual([])
    expect(checkFolder(folder, ['/nowhere'])).toEqual([])
    rmSync(join(folder, 'good.node'))
  })

  const without = (part: string) => GOOD.filter((flag) => !flag.includes(part))
  it.each([
    [
      'another RUNPATH',
      [...without('rpath'), '-Wl,-rpath,/opt/lib'],
      ['has no RUNPATH $ORIGIN', 'has the RUNPATH /opt/lib'],
    ],
    [
      'more than $ORIGIN',
      [...without('rpath'), '-Wl,-rpath,$ORIGIN:/opt'],
      ['has no RUNPATH $ORIGIN', 'has the RUNPATH $ORIGIN:/opt'],
    ],
    [
      'RPATH',
      [...without('dtags'), '-Wl,--disable-new-dtags'],
      ['has no RUNPATH $ORIGIN', 'has the RPATH $ORIGIN'],
    ],
    ['no RUNPATH', without('rpath'), ['has no RUNPATH $ORIGIN']],
    ['an executable stack', [...without('noexecstack'), '-Wl,-z,execstack'], ['has an executable stack']],
    ['no RELRO', [...without('relro'), '-Wl,-z,norelro'], ['has no RELRO segment']],
    ['lazy binding', [...without('now'), '-Wl,-z,lazy'], ['binds symbols lazily (no NOW)']],
    ['a buffer in each thread', [...GOOD, '-DMORE=1'], ['has 257 bytes of thread-local data']],
    ['a ggml symbol', [...GOOD, '-DEXTRA'], ['exports 1 symbols beside its entry points (ggml_init)']],
  ])('fails a library with %s', (_kind, flags, problems) => {
    expect(checkFile(compile('bad.node', flags), [])).toEqual(problems)
  })

  it('fails a library that needs a stranger', () => {
    compile('libstranger.so', ['-Wl,-soname,libstranger.so.1'])
    const path = compile('bad.node', [...GOOD, '-Wl,--no-as-needed', join(folder, 'libstranger.so')])
    expect(checkFile(path, [])).toEqual(['needs libstranger.so.1'])
  })

  it('fails a library that needs ROCm, unless it is the HIP module', () => {
    compile('libamdhip64.so', ['-Wl,-soname,libamdhip64.so.6'])
    const flags = [...GOOD, '-Wl,--no-as-needed', join(folder, 'libamdhip64.so')]
    expect(checkFile(compile('libggml-cpu.so', flags), [])).toContain('needs libamdhip64.so.6')
    expect(checkFile(compile('libggml-hip.so', flags), [])).not.toContain('needs libamdhip64.so.6')
  })

  it('looks at the program that tries a GPU, which exports nothing', () => {
    compile('good.node', GOOD)
    const program = compile('whisper-hip-trial', GOOD)
    const problems = checkFolder(folder, []).filter((problem) => problem.startsWith(program))
    expect(problems).toEqual([
      `${program} exports 1 symbols beside its entry points (napi_register_module_v1)`,
    ])
    rmSync(join(folder, 'good.node'))
  })

  it('fails a core under another SONAME: it would be taken for another addon’s', () => {
    const path = compile('libggml-base-whisper-hip-0.1.0.so', [...GOOD, '-Wl,-soname,libggml-base.so.0'])
    expect(checkFile(path, [])).toEqual(['has the SONAME libggml-base.so.0'])
  })

  it('fails a library that names the machine', () => {
    const path = compile('bad.node', [...GOOD, '-g'])
    expect(checkFile(path, [folder, '/absent'])).toEqual([`contains the path ${folder}`])
  })

  it('fails what is no library, and a folder without an addon', () => {
    const path = join(folder, 'text.so')
    writeFileSync(path, 'text')
    expect(checkFile(path, [])[0]).toMatch(/is not a shared library/)
    expect(checkFolder(mkdtempSync(join(folder, 'empty')), [])[0]).toMatch(/holds no addon/)
  })

  describe('of a library for an old glibc', () => {
    const libraries = ['-nostdlib', '-lc']

    it('refuses what is newer, the C++ library, and names without a version', () => {
      const source = `
        #include <math.h>
        extern "C" void mystery();
        extern "C" void hipblasCreate(); // hipBLAS has no versions
        double number(double x) { mystery(); hipblasCreate(); return exp(x) + *new double; }`
      writeFileSync(join(folder, 'newer.cpp'), source)
      const path = join(folder, 'newer.node')
      const args = ['-shared', '-fPIC', '-fno-builtin', '-o', path, join(folder, 'newer.cpp'), ...GOOD]
      expect(spawnSync('g++', args).status).toBe(0)
      const problems = checkFile(path, [], '2.28').join()
      expect(problems).toMatch(/needs more than glibc 2\.28 has \(/)
      for (const symbol of ['exp@GLIBC_2.29', '_Znwm@GLIBCXX_3.4', 'mystery'])
        expect(problems).toContain(symbol)
      expect(problems).not.toContain('hipblas')
    })

    it('takes the limit from the build report', () => {
      const path = compile('plain.node', [...GOOD, ...libraries])
      expect(checkFile(path, ['/nowhere'], '2.28')).toEqual([])
      const report = join(folder, 'build-report.json')
      writeFileSync(report, '{ "glibc": "2.1" }')
      rmSync(join(folder, 'newer.node'), { force: true })
      expect(checkFolder(folder, ['/nowhere']).join()).toContain('needs more than glibc 2.1 has')
      rmSync(report)
      rmSync(path)
    })
  })
})
