import { mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { NewFile } from '../../../lib/model/new-file.ts'
import { requireWritable } from '../../../lib/model/writable.ts'
import { failureOf, temporaryFolder } from './support.ts'

const root = temporaryFolder()
let folders = 0

function newFolder(): string {
  const folder = join(root, `${folders++}`)
  mkdirSync(folder)
  return folder
}

const text = Buffer.from('the whole')
const megabytes = (count: number) => async () => ({
  blocks: 1_000_000,
  bavail: (count * 1e6) / 4000,
  bsize: 4000,
})

describe('a new file', () => {
  it('is there when it is published, in place of what was there before', async () => {
    const folder = newFolder()
    const path = join(folder, 'model.gguf')
    writeFileSync(path, 'before')
    const file = await NewFile.create(path, text.length)
    await file.write(0, text)
    expect(readFileSync(path, 'utf8')).toBe('before')
    await file.publish(text.length)
    expect(readFileSync(path, 'utf8')).toBe('the whole')
    await file.discard()
    expect(readdirSync(folder)).toEqual(['model.gguf'])
  })

  it('that is discarded leaves nothing behind', async () => {
    const folder = newFolder()
    const file = await NewFile.create(join(folder, 'model.gguf'), text.length)
    await file.write(0, text)
    expect(readdirSync(folder)).toEqual([
      expect.stringMatching(/^\.whisper-hip-[0-9a-f]{8}\.[0-9a-f]{8}\.partial$/),
    ])
    await file.discard()
    expect(readdirSync(folder)).toEqual([])
  })

  it('may be made twice at once', async () => {
    const path = join(newFolder(), 'model.gguf')
    const files = await Promise.all([NewFile.create(path, 3), NewFile.create(path, 3)])
    for (const [i, file] of files.entries()) await file.write(0, Buffer.from(`no${i}`))
    for (const file of files) await file.publish(3)
    expect(readFileSync(path, 'utf8')).toBe('no1')
    expect(readdirSync(join(path, '..'))).toEqual(['model.gguf'])
  })

  it('is not begun on a disk that has no room for it', async () => {
    const folder = newFolder()
    const create = (size: number) => NewFile.create(join(folder, 'model.gguf'), size, megabytes(150))
    const failure = await failureOf(create(200e6))
    expect(failure).toMatchObject({
      code: 'ERR_WRITE',
      message: `Not enough disk space in '${folder}': 234 MB needed, 150 MB free`,
      advice: [expect.stringContaining('larger disk')],
    })
    // Some room is left for others.
    expect((await failureOf(create(140e6))).code).toBe('ERR_WRITE')
    expect(readdirSync(folder)).toEqual([])
    await (await create(100e6)).discard()
  })

  it('is begun on a disk that does not say how much room it has', async () => {
    const unknown = async () => ({ blocks: 0, bavail: 0, bsize: 4096 })
    await (await NewFile.create(join(newFolder(), 'model.gguf'), 1e12, unknown)).discard()
  })

  it('may have the longest name that there is', async () => {
    const folder = newFolder()
    const path = join(folder, `${'x'.repeat(250)}.gguf`)
    const file = await NewFile.create(path, text.length)
    await file.write(0, text)
    await file.publish(text.length)
    expect(readFileSync(path, 'utf8')).toBe('the whole')
  })

  it('takes away what a killed process has left of it, and nothing else', async () => {
    const folder = newFolder()
    const old = new Date(Date.now() - 2 * 3_600_000)
    const file = await NewFile.create(join(folder, 'model.gguf'), 1)
    const stem = readdirSync(folder)[0]?.replace(/[0-9a-f]{8}\.partial$/, '')
    await file.discard()
    const names = [
      `${stem}0123abcd.partial`,
      `${stem}4567cdef.partial`,
      '.whisper-hip-00000000.0123abcd.partial',
      'x.partial',
    ]
    for (const name of names) writeFileSync(join(folder, name), '')
    for (const name of names.filter((name) => !name.includes('4567')))
      utimesSync(join(folder, name), old, old)
    await (await NewFile.create(join(folder, 'model.gguf'), 1)).discard()
    expect(readdirSync(folder).sort()).toEqual(names.slice(1).sort())
  })
})

describe('a file that is not there yet', () => {
  it('is tried, and nothing is left of it', async () => {
    const folder = newFolder()
    await requireWritable(join(folder, 'model.gguf'), 1000)
    expect(readdirSync(folder)).toEqual([])
    writeFileSync(join(folder, 'model.gguf'), 'before')
    await requireWritable(join(folder, 'model.gguf'))
    expect(readFileSync(join(folder, 'model.gguf'), 'utf8')).toBe('before')
  })

  it.each([
    ['a folder', (folder: string) => folder, 'it is a folder'],
    ['in no folder', (folder: string) => join(folder, 'none', 'x'), 'its folder does not exist'],
    ['below a file', (folder: string) => join(folder, 'file', 'x'), 'a part of the path is not a folder'],
    [
      'of too long a name',
      (folder: string) => join(folder, 'x'.repeat(300)),
      'the name is too long for the file system',
    ],
    [
      'of too long a name in bytes',
      (folder: string) => join(folder, '語'.repeat(100)),
      'the name is too long for the file system',
    ],
    ['where nothing can be written', () => '/proc/x.txt', ''],
    [
      'behind links that go round',
      (folder: string) => join(folder, 'loop', 'x'),
      'its symbolic links form a loop',
    ],
  ])('is refused: %s', async (_, pathIn, problem) => {
    const folder = newFolder()
    writeFileSync(join(folder, 'file'), '')
    symlinkSync(join(folder, 'loop'), join(folder, 'loop'))
    const path = pathIn(folder)
    const failure = await failureOf(requireWritable(path))
    expect(failure).toMatchObject({
      code: 'ERR_WRITE',
      message: expect.stringContaining(`Cannot write '${path}': ${problem}`),
    })
  })

  it('is refused on a disk without the room', async () => {
    const failure = await failureOf(requireWritable(join(newFolder(), 'x'), 1e18))
    expect(failure).toMatchObject({ code: 'ERR_WRITE', message: expect.stringContaining('the disk is full') })
  })
})
