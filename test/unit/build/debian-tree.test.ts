import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { copyCheckout } from '../../../scripts/support/checkout-copy.mjs'
import { insideTree, requireChroot } from '../../../scripts/support/chroot.mjs'
import { isFinished, makeTree, TOOLCHAINS } from '../../../scripts/support/debian-tree.mjs'
import { script } from './made-rocm.ts'

let folder: string
let tree: string
let calls: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tree '))
  tree = join(folder, 'tree')
  calls = join(folder, 'calls')
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`)
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
})

const [SIX, SEVEN] = [TOOLCHAINS[6], TOOLCHAINS[7]]
const MIRROR = 'http://mirror.test/debian/'
/** A program that remembers its calls. */
const program = (name: string, body: string) =>
  script(join(folder, name), `echo "${name} $*" >> '${calls}'\n${body}`)
const apt = (origin = 'Debian') =>
  program(
    'apt-get',
    `echo '${origin} Packages bookworm-security ${MIRROR}security'\necho '${origin} Packages bookworm ${MIRROR}'`,
  )
const called = () => (existsSync(calls) ? readFileSync(calls, 'utf8') : '')

describe('makeTree', () => {
  it('says which mirror failed', () => {
    apt()
    program('debootstrap', 'exit 3')
    expect(() => makeTree(tree, SIX, () => {})).toThrow(
      `could not be installed in ${tree}: is ${MIRROR} reachable, and does it have that release? (`,
    )
    expect(isFinished(tree, SIX)).toBe(false)
  })

  it('needs the mirror of a Debian', () => {
    apt('Ubuntu')
    program('debootstrap', '')
    expect(() => makeTree(tree, SIX, () => {})).toThrow(/^apt names no mirror of Debian on this machine/)
  })

  it('does not touch a folder with other things', () => {
    apt()
    program('debootstrap', '')
    mkdirSync(tree)
    writeFileSync(join(tree, 'thesis.txt'), '')
    expect(() => makeTree(tree, SIX, () => {})).toThrow(
      `${tree} is not empty and holds no installation that was begun`,
    )
    expect(existsSync(join(tree, 'thesis.txt'))).toBe(true)
  })

  it('goes on where it was interrupted, and does nothing when it is finished', () => {
    apt()
    program('debootstrap', `mkdir -p '${tree}/usr/bin' '${tree}/debootstrap'`)
    program('unshare', 'exit 1')
    expect(() => makeTree(tree, SIX, () => {})).toThrow(
      `ROCm 6 could not be installed in ${tree}: is ${MIRROR} reachable?`,
    )
    expect(called()).toContain(`${tree} ${MIRROR}`)

    rmSync(calls)
    program('unshare', '')
    expect(() => makeTree(tree, SIX, () => {})).toThrow(
      `The installation in ${tree} ended without usr/bin/hipcc.`,
    )
    expect(called()).not.toContain('debootstrap ')
    expect(isFinished(tree, SIX)).toBe(false)

    writeFileSync(join(tree, 'usr/bin/hipcc'), '')
    makeTree(tree, SIX, () => {})
    expect(isFinished(tree, SIX)).toBe(true)
    rmSync(calls)
    makeTree(tree, SIX, () => {})
    expect(called()).toBe('')
  })

  it('takes ROCm 7 from the experimental suite, and nothing else', () => {
    apt()
    program('debootstrap', `mkdir -p '${tree}/usr/bin' && : > '${tree}/usr/bin/hipcc'`)
    program('unshare', '')
    makeTree(tree, SEVEN, () => {})
    const read = (path: string) => readFileSync(join(tree, 'etc/apt', path), 'utf8')
    expect(read('sources.list.d/experimental.list')).toBe(`deb ${MIRROR} experimental main\n`)
    expect(read('preferences.d/rocm')).toMatch(
      /^Package: hipcc rocm\* .*\nPin: release a=experimental\nPin-Priority: 990\n$/,
    )
    expect(isFinished(tree, SEVEN)).toBe(true)
    expect(isFinished(tree, SIX)).toBe(false)
  })

  it('begins again after a debootstrap that was interrupted', () => {
    apt()
    mkdirSync(join(tree, 'debootstrap'), { recursive: true })
    writeFileSync(join(tree, 'half'), '')
    program('debootstrap', `mkdir -p '${tree}/usr/bin' && : > '${tree}/usr/bin/hipcc'`)
    program('unshare', '')
    makeTree(tree, SIX, () => {})
    expect(existsSync(join(tree, 'half'))).toBe(false)
    expect(isFinished(tree, SIX)).toBe(true)
  })
})

describe('a tree', () => {
  it('is for root only', () => {
    vi.spyOn(process, 'getuid').mockReturnValue(1000)
    expect(requireChroot).toThrow(
      'A Debian in a folder can be made and entered by root only: run this with sudo.',
    )
  })

  it('needs a machine that allows to mount', () => {
    vi.spyOn(process, 'getuid').mockReturnValue(0)
    program('unshare', 'echo "unshare: unshare failed: Operation not permitted" >&2; exit 1')
    expect(requireChroot).toThrow(
      /^This machine does not allow to mount .*Operation not permitted\): in a container, it takes the capability SYS_ADMIN/,
    )
  })

  it('is entered in a mount namespace, with paths as arguments', () => {
    const binds = [{ from: '/a b', to: '/c' }]
    const command = insideTree('/tree', ['echo', '$(false)'], { directory: '/work', binds })
    expect(command.slice(0, 5)).toEqual(['unshare', '--mount', '--propagation', 'private', '--'])
    expect(command.slice(8)).toEqual(['sh', '/tree', 'keep', '/work', '1', '/a b', '/c', 'echo', '$(false)'])
  })
})

describe('copyCheckout', () => {
  const put = (path: string, text: string) => {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), text)
  }

  it('copies what git knows or would add, and the vendored trees; its builds stay', () => {
    put('from/.gitignore', 'build/\nvendor/*/\n')
    put('from/kept', '1')
    put('from/build/mine', 'no')
    put('from/vendor/lib/source.c', 'int x;')
    execFileSync('git', ['init', '-q'], { cwd: join(folder, 'from') })
    execFileSync('git', ['add', '.'], { cwd: join(folder, 'from') })
    put('from/new', '2')
    put('copy/build/theirs', 'yes')
    put('copy/removed', 'old')
    copyCheckout(join(folder, 'from'), join(folder, 'copy'))
    const there = ['kept', 'new', 'vendor/lib/source.c', 'build/theirs', 'build/mine', 'removed']
    expect(there.filter((path) => existsSync(join(folder, 'copy', path)))).toEqual(there.slice(0, 4))
  })

  it('needs a checkout', () => {
    mkdirSync(join(folder, 'plain'))
    expect(() => copyCheckout(join(folder, 'plain'), join(folder, 'copy'))).toThrow(
      /plain is not a checkout \(git ls-files/,
    )
  })
})
