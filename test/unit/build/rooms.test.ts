import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../../..')
const house = mkdtempSync(join(tmpdir(), 'rooms-'))

/** What dependency-cruiser finds: `RULE: FROM → TO`. */
let found: string[]

const files = {
  // In order.
  'lib/errors.ts': 'export const code = 1\nexport type Code = number\n',
  'lib/audio/pcm.ts': "export { code } from '../errors.ts'\nexport type Pcm = number\n",
  'lib/model.ts': "export { code } from './audio/pcm.ts'\n",
  'lib/cli/main.ts': "export { code } from '../model.ts'\n",
  // Against it.
  'lib/check.ts': "import type { Pcm } from './audio/pcm.ts'\nexport type Check = Pcm\n",
  'lib/audio/late.ts': "export const late = () => import('../cli/main.ts')\n",
  'lib/vad/loud.ts': "import type { Quiet } from './quiet.ts'\nexport type Loud = Quiet\n",
  'lib/vad/quiet.ts': "import type { Loud } from './loud.ts'\nexport type Quiet = Loud | 1\n",
  'lib/backend/probe.ts': "export { load } from '../model/load.ts'\n",
  'lib/model/load.ts': "export { Model as load } from '../model.ts'\n",
  'lib/stray.ts': "export { code } from './errors.ts'\n",
  'lib/output/srt.ts': "export { rate } from '../../bench/rate.ts'\n",
  'lib/output/vtt.ts': "export { gone } from './gone.ts'\n",
  'bench/rate.ts': 'export const rate = 1\n',
  'tsconfig.json': '{}',
}

beforeAll(() => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(house, name)), { recursive: true })
    writeFileSync(join(house, name), text)
  }
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const config = join(root, '.dependency-cruiser.mjs')
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [program, '--config', config, '--output-type', 'json', 'lib'],
    { cwd: house, encoding: 'utf8' },
  )
  expect(stderr).toBe('')
  const { summary } = JSON.parse(stdout) as {
    summary: { violations: { rule: { name: string }; from: string; to: string }[] }
  }
  found = summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`).sort()
})

afterAll(() => rmSync(house, { recursive: true }))

it('finds imports against the order of the rooms, circles, strays and what lies outside', () => {
  expect(found).toEqual([
    'in-a-room: lib/stray.ts → lib/errors.ts',
    'no-circle: lib/vad/loud.ts → lib/vad/quiet.ts',
    'not-out-of-the-house: lib/output/srt.ts → bench/rate.ts',
    'only-rooms-before: lib/audio/late.ts → lib/cli/main.ts',
    'only-rooms-before: lib/backend/probe.ts → lib/model/load.ts',
    'only-rooms-before: lib/check.ts → lib/audio/pcm.ts',
    'only-rooms-before: lib/model/load.ts → lib/model.ts',
    'resolvable: lib/output/vtt.ts → ./gone.ts',
  ])
})
