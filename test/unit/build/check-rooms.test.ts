import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { checkRooms } from '../../../scripts/check-rooms.mjs'
import { packageRoot } from '../../../scripts/support/package.mjs'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rooms '))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Files with what they include. */
function check(files: Record<string, string[]>): string[] {
  for (const [name, includes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), includes.map((include) => `#include ${include}\n`).join(''))
  }
  return checkRooms(folder)
}

it('finds nothing in binding/', () => {
  expect(checkRooms(join(packageRoot, 'binding'))).toEqual([])
})

it('lets a room know itself, those on its left, and others’ headers', () => {
  const includes = ['"audio/a.h"', '"b.h"', '"../support/c.h"', '<vector>', '"ggml.h"']
  expect(
    check({ 'vad/a.cpp': includes, 'audio/a.h': ['"support/c.h"'], 'support/c.h': [], 'vad/b.h': [] }),
  ).toEqual([])
})

it.each([
  [
    'a room on the right',
    { 'audio/a.cpp': ['"vad/b.h"'], 'vad/b.h': [] },
    'audio/a.cpp includes vad/b.h, which is on its right',
  ],
  [
    'one by a path',
    { 'audio/a.h': ['"../vad/b.h"'], 'vad/b.h': [] },
    'audio/a.h includes vad/b.h, which is on its right',
  ],
  [
    'one from kernels',
    { 'kernels/a.cu': ['"model/b.h"'], 'model/b.h': [] },
    'kernels/a.cu includes model/b.h, which is on its right',
  ],
  [
    'spaces in the line',
    { 'model/a.cpp': ['"stream/b.h"'].map((name) => ` ${name}`), 'stream/b.h': [] },
    'model/a.cpp includes stream/b.h, which is on its right',
  ],
  [
    'a circle of two',
    { 'vad/a.h': ['"b.h"'], 'vad/b.h': ['"a.h"'] },
    'vad/a.h -> vad/b.h -> vad/a.h is a circle',
  ],
  [
    'a circle of three',
    { 'vad/a.h': ['"vad/b.h"'], 'vad/b.h': ['"vad/c.h"'], 'vad/c.h': ['"vad/a.h"'] },
    'vad/a.h -> vad/b.h -> vad/c.h -> vad/a.h is a circle',
  ],
  ['a file that includes itself', { 'vad/a.h': ['"a.h"'] }, 'vad/a.h -> vad/a.h is a circle'],
  [
    'Node outside of the addon',
    { 'audio/a.cpp': ['<napi.h>'] },
    'audio/a.cpp includes <napi.h>, which only addon does',
  ],
  [
    'Node in C',
    { 'stream/a.h': ['"node_api.h"'] },
    'stream/a.h includes <node_api.h>, which only addon does',
  ],
  [
    'a new room',
    { 'cellar/a.cpp': [] },
    'cellar/a.cpp is in a room that scripts/check-rooms.mjs does not know',
  ],
  ['a file in no room', { 'a.cpp': [] }, 'a.cpp is in no room'],
] as [string, Record<string, string[]>, string][])('tells %s', (_, files, problem) => {
  expect(check(files)).toEqual([problem])
})

it('lets the addon, and its table, know Node and all rooms', () => {
  expect(
    check({
      'addon.cpp': ['<napi.h>', '"addon/a.h"'],
      'addon/a.h': ['<napi.h>', '"stream/b.h"'],
      'stream/b.h': [],
    }),
  ).toEqual([])
})
