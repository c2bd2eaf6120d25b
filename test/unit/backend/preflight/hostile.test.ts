import { lstatSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { REASONS } from '../../../../lib/backend/preflight/reasons.ts'
import { healthyMachine, type MadeMachine } from '../../../fixtures/sysroot.ts'
import { keep, look, module } from './made.ts'

/** What can be in the place of any file. */
const REPLACEMENTS: Record<string, (machine: MadeMachine, path: string) => MadeMachine> = {
  nothing: (machine) => machine,
  'an empty file': (machine, path) => machine.file(path),
  'a folder': (machine, path) => machine.directory(path),
  'a link to itself': (machine, path) => machine.link(path, path),
  'a link to nothing': (machine, path) => machine.link(path, '/nonexistent'),
  'zero bytes': (machine, path) => machine.file(path, Buffer.alloc(300)),
  'bytes of any value': (machine, path) =>
    machine.file(path, Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 167 + 13) & 0xff))),
  'a very long line': (machine, path) => machine.file(path, Buffer.alloc(300_000, '9')),
  'a line with control characters': (machine, path) => machine.file(path, '\u001b[2J\u0007 0x1002\r\n'),
  'an unreadable file': (machine, path) => machine.file(path, 'x').fails(path, 'EIO'),
}

interface Places {
  files: string[]
  folders: string[]
}

function placesBelow(root: string, folder = ''): Places {
  const places: Places = { files: [], folders: [] }
  for (const name of readdirSync(join(root, folder))) {
    const path = `${folder}/${name}`
    if (!lstatSync(join(root, path)).isDirectory()) {
      places.files.push(path)
      continue
    }
    const below = placesBelow(root, path)
    places.files.push(...below.files)
    places.folders.push(path, ...below.folders)
  }
  return places
}

function placesOfHealthyMachine(): Places {
  const machine = healthyMachine()
  const places = placesBelow(machine.folder)
  machine.dispose()
  return places
}

/** Puts a replacement in the place of each path, one after the other. */
async function expectAnswers(kind: string, paths: readonly string[]): Promise<void> {
  const machine = keep(healthyMachine())
  const options = { module: module() }
  const aside = mkdtempSync(join(tmpdir(), 'whisper-hip-aside-'))
  for (const path of paths) {
    const original = join(aside, 'original')
    renameSync(machine.path(path), original)
    REPLACEMENTS[kind]?.(machine, path)
    const found = await look(machine, options)
    expect(Object.keys(REASONS)).toContain(found.reason)
    expect(found.message).not.toBe('')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may come through
    expect(JSON.stringify([found.message, found.devices, found.notes])).not.toMatch(/\\u00|[\u0000-\u001f]/)
    if (found.reason !== 'OK') expect(found.advice.length).toBeGreaterThan(0)
    machine.remove(path).remove(`${path}.errno`)
    renameSync(original, machine.path(path))
  }
  rmSync(aside, { recursive: true })
}

describe('a machine that is damaged anywhere', () => {
  const { files, folders } = placesOfHealthyMachine()

  it('has enough places to damage', () => {
    expect(files.length).toBeGreaterThan(25)
    expect(folders.length).toBeGreaterThan(25)
  })

  it.each(Object.keys(REPLACEMENTS))('gets an answer with %s in the place of any file', (kind) =>
    expectAnswers(kind, files),
  )

  it.each(['nothing', 'an empty file', 'a link to itself'])(
    'gets an answer with %s in the place of any folder',
    (kind) => expectAnswers(kind, folders),
  )
})
