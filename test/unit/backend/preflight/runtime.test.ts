import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Library, Loader } from '../../../../lib/backend/preflight/loader.ts'
import { findRuntime, type Runtime } from '../../../../lib/backend/preflight/runtime.ts'
import { Sysroot } from '../../../../lib/backend/preflight/sysroot.ts'
import { findTensileLibrary, hasKernels, listKernels } from '../../../../lib/backend/preflight/tensile.ts'
import { elf, HERE } from '../../../fixtures/elf.ts'
import { emptyMachine, type MadeMachine, rocmLibraries } from '../../../fixtures/sysroot.ts'
import { rootOf } from './made.ts'

const ARCH = process.arch
const module: Library = {
  path: '/home/alice/module/libggml-hip.so',
  needed: ['libamdhip64.so.6', 'libhipblas.so.2', 'libstdc++.so.6', 'libc.so.6'],
  rpath: [],
  runpath: ['$ORIGIN'],
}

function runtimeOf(machine: MadeMachine, environment: Record<string, string> = {}): Runtime {
  return findRuntime(rootOf(machine), environment, ARCH, module)
}

function find(machine: MadeMachine, name: string, by = module, environment: Record<string, string> = {}) {
  return new Loader(rootOf(machine), environment, ARCH).find(name, by)?.path ?? null
}

describe('Loader', () => {
  const everywhere = () =>
    emptyMachine()
      .file('/opt/first/libx.so.1')
      .file('/opt/own/libx.so.1')
      .file('/opt/cached/libx.so.1')
      .file('/usr/lib/libx.so.1')
      .loaderCache(['/opt/cached/libx.so.1', '/opt/gone/liby.so.1'])

  it('looks in the folders of LD_LIBRARY_PATH, RUNPATH, the cache and the default, in this order', () => {
    const by = { ...module, runpath: ['/opt/own'] }
    const environment = { LD_LIBRARY_PATH: '/opt/none:/opt/first' }
    expect(find(everywhere(), 'libx.so.1', by, environment)).toBe('/opt/first/libx.so.1')
    expect(find(everywhere(), 'libx.so.1', by)).toBe('/opt/own/libx.so.1')
    expect(find(everywhere(), 'libx.so.1')).toBe('/opt/cached/libx.so.1')
    expect(find(everywhere().remove('/opt/cached'), 'libx.so.1')).toBe('/usr/lib/libx.so.1')
    expect(find(everywhere(), 'liby.so.1')).toBeNull()
  })

  it('takes RPATH before LD_LIBRARY_PATH, and only without RUNPATH', () => {
    const environment = { LD_LIBRARY_PATH: '/opt/first' }
    const old = { ...module, rpath: ['/opt/own'], runpath: [] }
    expect(find(everywhere(), 'libx.so.1', old, environment)).toBe('/opt/own/libx.so.1')
    expect(find(everywhere(), 'libx.so.1', { ...old, runpath: ['/opt/none'] })).toBe('/opt/cached/libx.so.1')
  })

  it('expands $ORIGIN to the folder of the library', () => {
    for (const origin of ['$ORIGIN', '$' + '{ORIGIN}']) {
      const by = { ...module, path: '/opt/rocm/lib/libhipblas.so.2', runpath: [`${origin}/../../own`] }
      expect(find(everywhere(), 'libx.so.1', by)).toBe('/opt/own/libx.so.1')
    }
  })

  it('reads the cache in both of its formats', () => {
    const machine = emptyMachine().file('/opt/cached/libx.so.1').file('/opt/cached/libx.so.10')
    machine.loaderCache(['/opt/cached/libx.so.10', '/opt/cached/libx.so.1'], 'old and new')
    expect(find(machine, 'libx.so.1')).toBe('/opt/cached/libx.so.1')
    expect(find(machine, 'libx.so')).toBeNull()
  })

  it('takes the folders of ld.so.conf for a cache that is not there', () => {
    const machine = emptyMachine()
      .file('/etc/ld.so.conf', 'include /etc/ld.so.conf.d/*.conf\ninclude ld.so.conf\n')
      .file('/etc/ld.so.conf.d/rocm.conf', '# ROCm\n/opt/first # here\n')
      .file('/etc/ld.so.conf.d/notes.txt', '/opt/own\n')
      .file('/opt/first/libx.so.1')
      .file('/opt/own/libz.so.1')
    expect(find(machine, 'libx.so.1')).toBe('/opt/first/libx.so.1')
    expect(find(machine, 'libz.so.1')).toBeNull()
  })

  it.each([
    ['text', Buffer.from('no cache')],
    ['a cut cache', Buffer.from('glibc-ld.so.cache1.1\xff\xff\xff\xff', 'latin1')],
    ['an old cache that lies about its length', Buffer.from(`ld.so-1.7.0\0${'\xff'.repeat(64)}`, 'latin1')],
    [
      'entries that lead nowhere',
      Buffer.concat([Buffer.from('glibc-ld.so.cache1.1\x01\0\0\0', 'latin1'), Buffer.alloc(48, 0xff)]),
    ],
  ])('survives %s in place of the cache', (_, bytes) => {
    const machine = emptyMachine().file('/etc/ld.so.cache', bytes).file('/usr/lib/libx.so.1')
    expect(find(machine, 'libx.so.1')).toBe('/usr/lib/libx.so.1')
  })

  it('passes over libraries for other processors, and links to nothing', () => {
    const machine = emptyMachine()
      .file('/opt/first/libx.so.1', elf({ machine: HERE === 62 ? 183 : 62 }))
      .link('/opt/own/libx.so.1', 'libx.so.1.9')
      .file('/usr/lib/libx.so.1', elf())
    const environment = { LD_LIBRARY_PATH: '/opt/first:/opt/own' }
    expect(find(machine, 'libx.so.1', module, environment)).toBe('/usr/lib/libx.so.1')
  })

  it('sees the variables that the process was started with', () => {
    const machine = everywhere().file('/proc/self/environ', 'HOME=/root\0LD_LIBRARY_PATH=/opt/first\0')
    expect(find(machine, 'libx.so.1', module, { LD_LIBRARY_PATH: '/opt/own' })).toBe('/opt/first/libx.so.1')
  })

  it('finds a library that is preloaded', () => {
    const environment = { LD_PRELOAD: '/opt/first/libx.so.1' }
    expect(find(everywhere(), 'libx.so.1', module, environment)).toBe('/opt/first/libx.so.1')
  })

  it('finds the C library of this machine', () => {
    const path = new Loader(new Sysroot(), process.env, ARCH).find('libc.so.6', module)?.path
    expect(existsSync(path ?? '')).toBe(true)
  })
})

describe('findRuntime', () => {
  it('follows the needs of the module', () => {
    const runtime = runtimeOf(emptyMachine().rocm().loaderCache(rocmLibraries()))
    expect(runtime).toMatchObject({ version: '6.4.1', missing: [], mixture: null })
    expect(runtime.wanted).toEqual(['libamdhip64.so.6', 'libhipblas.so.2'])
    expect(runtime.libraries.map(({ soname }) => soname)).toEqual([
      'libamdhip64.so.6',
      'libhipblas.so.2',
      'libhsa-runtime64.so.1',
      'librocblas.so.4',
    ])
  })

  it('names what a library of ROCm lacks itself', () => {
    const machine = emptyMachine().rocm().loaderCache(rocmLibraries())
    machine.remove('/opt/rocm-6.4.1/lib/libhsa-runtime64.so.1')
    expect(runtimeOf(machine).missing).toMatchObject([
      { soname: 'libhsa-runtime64.so.1', neededBy: '/opt/rocm-6.4.1/lib/libamdhip64.so.6', elsewhere: null },
    ])
  })

  it('finds what is installed out of sight, the newest first', () => {
    const machine = emptyMachine()
      .rocm({ folder: '/opt/rocm-6.3.0' })
      .rocm({ folder: '/opt/rocm-6.10.0' })
      .loaderCache([])
    expect(runtimeOf(machine).missing[0]).toMatchObject({
      elsewhere: '/opt/rocm-6.10.0/lib/libamdhip64.so.6',
      otherVersions: [],
    })
    const core = emptyMachine().rocm({ folder: '/opt/rocm/core-7.14' }).loaderCache([])
    expect(runtimeOf(core).missing[0]?.elsewhere).toBe('/opt/rocm/core-7.14/lib/libamdhip64.so.6')
    const named = emptyMachine().rocm({ folder: '/opt/mine' }).loaderCache([])
    expect(runtimeOf(named, { ROCM_PATH: '/opt/mine' }).missing[0]?.elsewhere).toBe(
      '/opt/mine/lib/libamdhip64.so.6',
    )
  })

  it('knows when only ldconfig is missing', () => {
    const machine = emptyMachine().rocm().loaderCache([])
    expect(runtimeOf(machine).cacheIsOld).toBe(false)
    machine.file('/etc/ld.so.conf', '/opt/rocm-6.4.1/lib\n')
    expect(runtimeOf(machine).cacheIsOld).toBe(true)
  })

  it('lists other versions once', () => {
    const machine = emptyMachine()
      .file('/opt/rocm-7.0.0/lib/libamdhip64.so.7')
      .file('/opt/rocm-7.0.0/lib/libamdhip64.so.7.0.70000')
      .link('/opt/rocm', 'rocm-7.0.0')
      .loaderCache(['/opt/rocm/lib/libamdhip64.so.7'])
    expect(runtimeOf(machine).missing[0]?.otherVersions).toEqual(['/opt/rocm/lib/libamdhip64.so.7'])
  })

  it('takes the version from the name of the file when no file tells it', () => {
    const machine = emptyMachine()
      .file('/usr/lib/libamdhip64.so.6.4.43483', elf())
      .link('/usr/lib/libamdhip64.so.6', 'libamdhip64.so.6.4.43483')
      .file('/usr/lib/libhipblas.so.2')
    expect(runtimeOf(machine).version).toBe('6.4')
  })

  it('notices a library in two versions', () => {
    const machine = emptyMachine().rocm().loaderCache(rocmLibraries())
    machine
      .file('/opt/rocm-6.4.1/lib/librocblas.so.4', elf({ needed: ['libamdhip64.so.5'] }))
      .file('/usr/lib/libamdhip64.so.5', elf())
    expect(runtimeOf(machine).mixture).toMatchObject({
      kind: 'two versions',
      otherSoname: 'libamdhip64.so.5',
      neededBy: '/opt/rocm-6.4.1/lib/librocblas.so.4',
    })
  })

  it('notices a function that a library of another installation does not have', () => {
    const machine = () =>
      emptyMachine()
        .rocm()
        .loaderCache(rocmLibraries())
        .file(
          '/opt/rocm-6.4.1/lib/libamdhip64.so.6',
          elf({ needed: ['libhsa-runtime64.so.1'], imports: ['hsa_init', 'hsa_amd_enable_logging'] }),
        )
    const environment = { LD_LIBRARY_PATH: '/opt/torch' }
    const old = machine().file('/opt/torch/libhsa-runtime64.so.1', elf({ exports: ['hsa_init'] }))
    expect(runtimeOf(old, environment).mixture).toEqual({
      kind: 'missing symbol',
      path: '/opt/rocm-6.4.1/lib/libamdhip64.so.6',
      symbol: 'hsa_amd_enable_logging',
      providers: ['/opt/torch/libhsa-runtime64.so.1'],
    })
    const fitting = machine().file(
      '/opt/torch/libhsa-runtime64.so.1',
      elf({ exports: ['hsa_init', 'hsa_amd_enable_logging'] }),
    )
    expect(runtimeOf(fitting, environment).mixture).toBeNull()
  })

  it('ends with libraries that need each other', () => {
    const machine = emptyMachine()
      .file('/usr/lib/libamdhip64.so.6', elf({ needed: ['libhipblas.so.2'] }))
      .file('/usr/lib/libhipblas.so.2', elf({ needed: ['libamdhip64.so.6'] }))
    expect(runtimeOf(machine).missing).toEqual([])
  })
})

describe('kernels of rocBLAS', () => {
  const folder = '/opt/rocm/lib/rocblas/library'
  const library = '/opt/rocm/lib/librocblas.so.4'
  const ask = (machine: MadeMachine, gfx: string, environment: Record<string, string> = {}) => {
    const root = rootOf(machine)
    const tensile = findTensileLibrary(root, environment, library)
    return { has: hasKernels(root, tensile, gfx), list: listKernels(root, tensile), folder: tensile.folder }
  }
  const made = (...files: string[]) =>
    files.reduce((machine, file) => machine.file(file), emptyMachine().file(library))

  it.each([
    ['lazily loaded', `${folder}/TensileLibrary_lazy_gfx1100.dat`],
    ['loaded at once', `${folder}/TensileLibrary_gfx1100.dat`],
    ['in a folder of the chip', `${folder}/gfx1100/TensileLibrary_lazy_gfx1100.dat`],
    ['compressed', `${folder}/gfx1100/TensileLibrary_lazy_gfx1100.dat.zlib`],
    ['of the generic chip', `${folder}/TensileLibrary_lazy_gfx11-generic.dat`],
  ])('finds them %s', (_, file) => {
    expect(ask(made(file), 'gfx1100').has).toBe(true)
    expect(ask(made(file), 'gfx1030').has).toBe(false)
  })

  it('needs the code of the chip beside a list for all chips', () => {
    const machine = made(`${folder}/TensileLibrary.dat`, `${folder}/Kernels.so-000-gfx1100.hsaco`)
    expect(ask(machine, 'gfx1100')).toMatchObject({ has: true, list: ['gfx1100'] })
    expect(ask(machine, 'gfx110').has).toBe(false)
    expect(ask(machine, 'gfx1101').has).toBe(false)
  })

  it("finds Debian's folder with the version in between", () => {
    const machine = made('/opt/rocm/lib/rocblas/6.4.4/library/TensileLibrary_lazy_gfx1031.dat')
    expect(ask(machine, 'gfx1031')).toMatchObject({ has: true, list: ['gfx1031'] })
  })

  it('looks in the named folder only', () => {
    const machine = made(
      `${folder}/TensileLibrary_lazy_gfx1100.dat`,
      '/opt/own/TensileLibrary_lazy_gfx1103.dat',
    )
    const environment = { ROCBLAS_TENSILE_LIBPATH: '/opt/own' }
    expect(ask(machine, 'gfx1100', environment)).toEqual({
      has: false,
      list: ['gfx1103'],
      folder: '/opt/own',
    })
    expect(ask(machine, 'gfx1103', environment).has).toBe(true)
  })

  it('does not count files that cannot be read', () => {
    const file = `${folder}/TensileLibrary_lazy_gfx1100.dat`
    expect(ask(made(file).fails(file, 'EACCES'), 'gfx1100').has).toBe(false)
  })

  it('lists chips once and in order', () => {
    const machine = made(
      `${folder}/TensileLibrary_lazy_gfx90a.dat`,
      `${folder}/TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_gfx1030.co`,
      `${folder}/Kernels.so-000-gfx90a-xnack+.hsaco`,
      `${folder}/gfx942/TensileLibrary_lazy_gfx942.dat`,
      `${folder}/readme.txt`,
    )
    expect(ask(machine, 'gfx906').list).toEqual(['gfx90a', 'gfx942', 'gfx1030'])
  })
})
