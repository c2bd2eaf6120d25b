import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { elf, HERE } from '../../../fixtures/elf.ts'
import { healthyMachine, type MadeMachine } from '../../../fixtures/sysroot.ts'
import { look, module } from './made.ts'

const LIB = '/opt/rocm-6.4.1/lib'
const whole = elf({ needed: ['libamdhip64.so.6'], runpath: '$ORIGIN' })
const other32 = Buffer.from(whole)
other32[4] = 1
const foreign = elf({ machine: HERE === 62 ? 183 : 62 })
const object = Buffer.from(whole)
object.writeUInt16LE(1, 16)
const otherEnd = Buffer.from(whole)
otherEnd[5] = 2

/** What can lie in place of a library, and what is said of it. */
const DAMAGED: [string, Buffer | string, RegExp][] = [
  ['an empty file', '', /is empty/],
  ['the beginning of a header', whole.subarray(0, 10), /ends too early/],
  ['a header', whole.subarray(0, 64), /ends too early/],
  ['half of it', whole.subarray(0, whole.length / 2), /ends too early \(\d+ of at least \d+ bytes\)/],
  ['all but the last byte', whole.subarray(0, whole.length - 1), /ends too early/],
  ['a text', 'this is no library\n', /is a text, not a library/],
  ['a linker script', '/* GNU ld script */\nINPUT ( librocblas.so.4.4 )\n', /is a text for the linker/],
  ['a web page', '<!DOCTYPE html>\n<html><title>404</title></html>', /is a web page/],
  [
    'a pointer of Git LFS',
    'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
    /is a pointer of Git LFS/,
  ],
  ['zeros', Buffer.alloc(4096), /is full of zeros/],
  ['an archive', Buffer.from('1f8b0800000000000003', 'hex'), /is an archive/],
  ['other bytes', Buffer.from([1, 2, 3, 200]), /is not a library/],
  ['a 32-bit library', other32, /is a 32-bit library/],
  ['a library for another processor', foreign, /is for another processor/],
  ['an object file', object, /is no shared library \(ELF type 1\)/],
  ['a library for another order of bytes', otherEnd, /another order of bytes/],
]
/** The loader looks into the next folder instead of giving up. */
const PASSED_OVER = ['a 32-bit library', 'a library for another processor']

describe('HIP_RUNTIME_DAMAGED', () => {
  for (const name of ['libamdhip64.so.6', 'librocblas.so.4', 'libhsa-runtime64.so.1'])
    it.each(DAMAGED)(`${name}: %s`, async (_, content, problem) => {
      const found = await look(healthyMachine().file(`${LIB}/${name}`, content))
      expect(found.reason).toBe('HIP_RUNTIME_DAMAGED')
      expect(found.message).toContain(`The file ${LIB}/${name}`)
      expect(found.message).toContain('is damaged: it ')
      expect(found.message).toMatch(problem)
      expect(found.advice.join('\n')).toContain(`${LIB}/${name}`)
      expect(found.advice.join('\n')).not.toContain('LD_LIBRARY_PATH')
      expect(found.notes).toEqual([])
    })

  it.each<[string, (machine: MadeMachine, path: string) => MadeMachine, RegExp]>([
    [
      'a link to nothing',
      (machine, path) => machine.link(path, 'librocblas.so.4.9'),
      /is a link to \/opt\/rocm-6.4.1\/lib\/librocblas.so.4.9, which does not exist/,
    ],
    [
      'a link to a link to nothing',
      (machine, path) => machine.link(path, 'a.so').link(`${LIB}/a.so`, '/opt/gone/b.so'),
      /is a link to \/opt\/gone\/b.so, which/,
    ],
    ['a link to itself', (machine, path) => machine.link(path, 'librocblas.so.4'), /is a link to itself/],
    ['a folder', (machine, path) => machine.directory(path), /is a folder/],
    [
      'a file that may not be read',
      (machine, path) => machine.file(path, whole).fails(path, 'EACCES'),
      /may not be read by this process \(EACCES\)/,
    ],
    [
      'a file on a broken disk',
      (machine, path) => machine.file(path, whole).fails(path, 'EIO'),
      /cannot be read \(EIO\)/,
    ],
  ])('%s', async (_, make, problem) => {
    const path = `${LIB}/librocblas.so.4`
    const found = await look(make(healthyMachine().remove(path), path))
    expect(found.reason).toBe('HIP_RUNTIME_DAMAGED')
    expect(found.message).toContain(`The file ${path}`)
    expect(found.message).toMatch(problem)
    expect(found.advice.length).toBeGreaterThan(0)
  })

  it('names a folder that is a link to nothing', async () => {
    const machine = healthyMachine().remove('/opt/rocm-6.4.1').link('/opt/rocm', 'rocm-6.4.1')
    const found = await look(machine)
    expect(found.reason).toBe('HIP_RUNTIME_DAMAGED')
    expect(found.message).toContain('/opt/rocm is a link to /opt/rocm-6.4.1, which does not exist')
  })

  describe('in real folders that LD_LIBRARY_PATH names', () => {
    let folder: string
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'libraries-'))
    })
    afterEach(() => rmSync(folder, { recursive: true }))
    const path = () => join(folder, 'librocblas.so.4')
    const lookThere = () => look(healthyMachine(), { environment: { LD_LIBRARY_PATH: folder } })

    it.each(DAMAGED)('%s', async (name, content, problem) => {
      writeFileSync(path(), content)
      const found = await lookThere()
      if (PASSED_OVER.includes(name)) return expect(found.reason).toBe('OK')
      expect(found.reason).toBe('HIP_RUNTIME_DAMAGED')
      expect(found.message).toContain(path())
      expect(found.message).toMatch(problem)
      expect(found.advice.join('\n')).toContain(`take its folder out of LD_LIBRARY_PATH`)
    })

    it('goes on where the loader does', async () => {
      symlinkSync('nothing', path())
      expect((await lookThere()).reason).toBe('OK')
      rmSync(path())
      mkdirSync(path())
      expect((await lookThere()).message).toContain(`${path()}, by which`)
    })
  })

  it('names what was passed over when nothing else is there, and the sound file out of sight', async () => {
    const machine = healthyMachine().loaderCache([]).file('/opt/old/libamdhip64.so.6', other32)
    const found = await look(machine, { environment: { LD_LIBRARY_PATH: '/opt/old' } })
    expect(found.reason).toBe('HIP_RUNTIME_DAMAGED')
    expect(found.message).toContain('/opt/old/libamdhip64.so.6')
    expect(found.advice.join('\n')).toContain(`export LD_LIBRARY_PATH=${LIB}`)
  })

  it('names what lies damaged where ROCm is installed to', async () => {
    const machine = healthyMachine().loaderCache([]).file(`${LIB}/libamdhip64.so.6`, whole.subarray(0, 100))
    const found = await look(machine)
    expect(found.reason).toBe('HIP_RUNTIME_DAMAGED')
    expect(found.message).toContain(`${LIB}/libamdhip64.so.6`)
  })

  it('names all that is damaged', async () => {
    const machine = healthyMachine().file(`${LIB}/libamdhip64.so.6`, 'x').file(`${LIB}/libhipblas.so.2`, 'x')
    expect((await look(machine)).message).toContain(`; so are ${LIB}/libhipblas.so.2`)
  })

  it('is told of the kernels of rocBLAS', async () => {
    const kernels = `${LIB}/rocblas/library`
    const machine = () => healthyMachine().file(`${kernels}/TensileLibrary_lazy_gfx90a.dat`, 'kernels')
    const found = await look(machine())
    expect(found.reason).toBe('HIP_RUNTIME_DAMAGED')
    expect(found.message).toContain(`${kernels}/TensileLibrary_lazy_gfx1100.dat`)
    const list = machine().file(`${kernels}/TensileLibrary_lazy_gfx1100.dat`, 'list')
    expect((await look(list.file(`${kernels}/TensileLibrary_Type_HH_gfx1100.co`))).message).toContain(
      '_HH_gfx1100.co',
    )
    expect((await look(healthyMachine())).reason).toBe('OK')
  })

  it('says how to install the file again', async () => {
    const advice = async (osRelease: string, path = `${LIB}/librocblas.so.4`) =>
      (await look(healthyMachine().file('/etc/os-release', osRelease).file(path, 'x'))).advice[0]
    expect(await advice('ID=debian')).toContain(`dpkg -S ${LIB}/librocblas.so.4`)
    expect(await advice('ID=fedora')).toContain('sudo dnf reinstall')
    expect(await advice('ID=arch')).toContain('pacman')
    expect(await advice('ID=nixos')).toContain('Install, unpack or copy again')
  })
})

describe('the HIP module itself', () => {
  it.each(DAMAGED)('%s', async (name, content) => {
    const path = module()
    writeFileSync(path, content)
    const found = await look(healthyMachine(), { module: path })
    expect(found.reason).toBe('BACKEND_LIBRARY_MISSING')
    const kind = PASSED_OVER.includes(name)
      ? 'is not for this processor'
      : typeof content === 'string' || !content.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'))
        ? 'is not a shared library'
        : 'is damaged'
    expect(found.message).toContain(`The HIP module ${path} ${kind}`)
    expect(found.advice[0]).toContain('npx whisper-hip build --hip')
  })

  it('is found cut at any place', async () => {
    const path = module()
    const sound = elf({ needed: ['libamdhip64.so.6'], fatbin: Buffer.alloc(5000, 7) })
    for (let length = 1; length < sound.length; length += 61) {
      writeFileSync(path, sound.subarray(0, length))
      expect((await look(healthyMachine(), { module: path })).reason).toBe('BACKEND_LIBRARY_MISSING')
    }
  })
})
