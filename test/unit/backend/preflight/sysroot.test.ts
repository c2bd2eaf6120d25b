import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isFailure, printable, Sysroot } from '../../../../lib/backend/preflight/sysroot.ts'
import { MadeMachine } from '../../../fixtures/sysroot.ts'
import { rootOf } from './made.ts'

describe('a made machine', () => {
  it('reads system folders below its folder and all other paths where they are', () => {
    const machine = new MadeMachine().file('/etc/os-release', 'made\n')
    const root = rootOf(machine)
    expect(root.line('/etc/os-release')).toBe('made')
    writeFileSync(join(machine.folder, 'own'), 'real\n')
    expect(root.line(join(machine.folder, 'own'))).toBe('real')
  })

  it('takes folders of its own for real ones even below a system folder', () => {
    const machine = new MadeMachine().file('/usr/lib/app/file', 'made\n')
    rootOf(machine)
    const root = new Sysroot(machine.folder, ['/usr/lib/app'])
    expect(root.line('/usr/lib/app/file')).toBeNull()
    expect(root.line('/usr/lib/application/file')).toBeNull()
  })

  it('follows links inside of it, and no link leads out', () => {
    const machine = new MadeMachine()
      .file('/opt/rocm-6.4.1/lib/library', 'found\n')
      .link('/opt/rocm', '/opt/rocm-6.4.1')
      .link('/etc/alternative', '../../../../../opt/rocm/lib/library')
      .link('/etc/outside', '/etc/passwd')
    const root = rootOf(machine)
    expect(root.line('/opt/rocm/lib/library')).toBe('found')
    expect(root.line('/etc/alternative')).toBe('found')
    expect(root.realpath('/opt/rocm/lib/library')).toBe('/opt/rocm-6.4.1/lib/library')
    expect(root.line('/etc/outside')).toBeNull()
    expect(root.link('/opt/rocm')).toBe('/opt/rocm-6.4.1')
  })

  it('counts .. from where a link leads to', () => {
    const machine = new MadeMachine()
      .directory('/opt/deep/folder')
      .file('/opt/deep/file', 'beside\n')
      .link('/etc/folder', '/opt/deep/folder')
    expect(rootOf(machine).line('/etc/folder/../file')).toBe('beside')
  })

  it('gives up on circles of links', () => {
    const root = rootOf(
      new MadeMachine().link('/etc/a', 'b').link('/etc/b', '/etc/a').link('/etc/self', 'self/x'),
    )
    for (const path of ['/etc/a', '/etc/self', '/etc/self/more']) {
      expect(root.read(path)).toEqual({ errno: 'ELOOP' })
      expect(root.text(path)).toBeNull()
      expect(root.list(path)).toEqual([])
      expect(root.stat(path)).toBeNull()
      expect(root.realpath(path)).toBeNull()
    }
  })

  it('reads at most 64 kB', () => {
    const root = rootOf(new MadeMachine().file('/sys/huge', Buffer.alloc(1 << 20, 'x')))
    expect(root.text('/sys/huge')?.length).toBe(65_536)
    expect(root.line('/sys/huge')?.length).toBeLessThan(300)
  })

  it('answers for what is not a file', async () => {
    const machine = new MadeMachine().directory('/sys/folder').file('/sys/file', 'x')
    execFileSync('mkfifo', [machine.path('/sys/pipe')])
    const root = rootOf(machine)
    expect(root.read('/sys/none')).toEqual({ errno: 'ENOENT' })
    expect(root.read('/sys/folder')).toEqual({ errno: 'EISDIR' })
    expect(root.read('/sys/file/below')).toEqual({ errno: 'ENOTDIR' })
    expect(root.text('/sys/pipe')).toBe('')
    expect(root.list('/sys/file')).toEqual([])
    expect(await root.openDevice('/sys/folder')).toEqual({ errno: 'EISDIR' })
    expect(await root.openDevice('/sys/none')).toEqual({ errno: 'ENOENT' })
    expect(await root.openDevice('/sys/file')).toBeNull()
  })

  it('takes error and group from the files beside a file', async () => {
    const machine = new MadeMachine()
      .file('/dev/kfd')
      .fails('/dev/kfd', 'ENOMEM')
      .file('/dev/kfd.gid', '109\n')
      .file('/sys/node/properties', 'x')
      .fails('/sys/node/properties', 'EPERM')
    const root = rootOf(machine)
    expect(await root.openDevice('/dev/kfd')).toEqual({ errno: 'ENOMEM' })
    expect(root.stat('/dev/kfd')).toMatchObject({ kind: 'file', gid: 109 })
    expect(root.read('/sys/node/properties')).toEqual({ errno: 'EPERM' })
    expect(root.open('/sys/node/properties')).toEqual({ errno: 'EPERM' })
    expect(root.list('/dev')).toEqual(['kfd'])
  })

  it('reads any part of an open file', () => {
    const file = rootOf(new MadeMachine().file('/opt/bytes', 'abcdefgh')).open('/opt/bytes')
    if (isFailure(file)) throw new Error(file.errno)
    expect(file.size).toBe(8)
    expect(file.at(2, 3).toString()).toBe('cde')
    expect(file.at(6, 100).toString()).toBe('gh')
    expect(file.at(100, 4).length).toBe(0)
    file.close()
    expect(file.at(0, 4).length).toBe(0)
  })
})

describe('the running machine', () => {
  it('is read as it is', async () => {
    const root = new Sysroot()
    expect(root.isMade).toBe(false)
    expect(root.text('/proc/self/status')).toContain('Uid:')
    expect(root.realpath('/proc/self')).toBe(`/proc/${process.pid}`)
    expect(root.stat('/dev/null')).toMatchObject({ kind: 'device' })
    expect(await root.openDevice('/dev/null')).toBeNull()
    expect(root.list('/proc/self').includes('environ')).toBe(true)
  })

  it('does not take a plain file for a device', async () => {
    const machine = new MadeMachine().file('/dev/kfd')
    rootOf(machine)
    expect(await new Sysroot().openDevice(machine.path('/dev/kfd'))).toEqual({ errno: 'ENODEV' })
  })
})

describe('printable', () => {
  it('makes one short line without control characters', () => {
    expect(printable(' a\u001b[31m\nb\0 ')).toBe('a [31m b')
    expect(printable('x'.repeat(500)).length).toBe(201)
  })
})
