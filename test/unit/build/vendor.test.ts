import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { create } from 'tar'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readManifest, sha256, vendor } from '../../../scripts/vendor.mjs'

const FILES: Record<string, string> = {
  LICENSE: 'free',
  'src/deep/code.cpp': 'int main() {}',
  'samples/a.wav': 'RIFF',
}

let folder: string
let server: Server
let requests: string[]
/** What the server answers, by path. */
let served: Record<string, Buffer>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vendor test '))
  requests = []
  served = {}
  server = createServer((request, response) => {
    requests.push(request.url ?? '')
    const body = served[decodeURIComponent(request.url ?? '')]
    response.writeHead(body ? 200 : 404).end(body)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  vi.stubEnv('WHISPER_HIP_ARCHIVE_HOST', `${origin()}/`)
  vi.stubEnv('npm_config_registry', origin())
  vi.stubEnv('npm_config_cache', join(folder, 'npm cache'))
  vi.stubEnv('npm_config_fetch_retries', '0')
  await writeManifest()
})

afterEach(async () => {
  vi.unstubAllEnvs()
  server.close()
  await rm(folder, { recursive: true, force: true })
})

const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const ARCHIVE = {
  type: 'archive',
  host: 'https://unreachable.invalid',
  path: 'thing-1.0.tar.gz',
  root: 'thing-1.0',
}
const NPM = { type: 'npm', package: 'carrier', version: '2.0.0', integrity: '', root: 'package/cpp/thing' }

async function writeManifest(sources: object[] = [ARCHIVE], files = FILES): Promise<void> {
  const entries = Object.entries(files).map(([path, text]) => [
    path,
    {
      sha256: sha256(Buffer.from(text)),
      bytes: text.length,
      group: path.startsWith('samples/') ? 'test' : 'build',
    },
  ])
  await mkdir(join(folder, 'vendor'), { recursive: true })
  await writeFile(
    join(folder, 'vendor/thing.json'),
    JSON.stringify({
      name: 'thing',
      version: '1.0',
      sources,
      select: { build: ['*'], test: ['samples/*'] },
      files: Object.fromEntries(entries),
    }),
  )
}

/** A `.tar.gz` of `root`/… ; `prepare` may put more into the folder that becomes the archive's content. */
async function archive(
  root: string,
  files: Record<string, string> = FILES,
  prepare: (content: string) => Promise<unknown> = async () => {},
): Promise<Buffer> {
  const content = await mkdtemp(join(folder, 'content-'))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(content, root, path)), { recursive: true })
    await writeFile(join(content, root, path), text)
  }
  await prepare(content)
  const file = join(folder, 'made.tar.gz')
  await create({ gzip: true, file, cwd: content }, await readdir(content))
  return readFile(file)
}

const run = () => vendor(join(folder, 'vendor'), 'thing')
const tree = (path: string) => readFile(join(folder, 'vendor/thing', path), 'utf8')
const serve = async (...rest: Parameters<typeof archive> | []) => {
  served['/thing-1.0.tar.gz'] = rest.length ? await archive(...rest) : await archive('thing-1.0')
}

describe('vendor', () => {
  it('fetches the tree of the manifest and nothing else', async () => {
    await serve('thing-1.0', { ...FILES, 'not-listed.txt': 'x' })
    expect(await run()).toBe('fetched')
    expect(await tree('src/deep/code.cpp')).toBe(FILES['src/deep/code.cpp'])
    expect((await readdir(join(folder, 'vendor/thing'))).sort()).toEqual(['LICENSE', 'samples', 'src'])
    expect((await readdir(join(folder, 'vendor'))).sort()).toEqual(['thing', 'thing.json'])
  })

  it('does nothing the second time', async () => {
    await serve()
    await run()
    requests = []
    expect(await run()).toBe('present')
    expect(requests).toEqual([])
  })

  it.each([
    ['changed', () => writeFile(join(folder, 'vendor/thing/LICENSE'), 'FREE')],
    ['missing', () => unlink(join(folder, 'vendor/thing/LICENSE'))],
    ['foreign', () => writeFile(join(folder, 'vendor/thing/src/other.cpp'), 'x')],
  ])('replaces a tree with a %s file', async (_kind, damage) => {
    await serve()
    await run()
    await damage()
    expect(await run()).toBe('fetched')
    expect(await run()).toBe('present')
  })

  it('serves two at once', async () => {
    await serve()
    await Promise.all([run(), run(), run()])
    expect(await run()).toBe('present')
    expect((await readdir(join(folder, 'vendor'))).sort()).toEqual(['thing', 'thing.json'])
  })

  it.each([
    ['another content', { ...FILES, LICENSE: 'evil' }, /LICENSE has another sha256/],
    ['another length', { ...FILES, LICENSE: 'free and more' }, /LICENSE has 13 bytes instead of 4/],
    ['a file missing', { LICENSE: 'free' }, /does not contain src\/deep\/code.cpp/],
  ])('refuses an archive with %s', async (_kind, files, message) => {
    await serve('thing-1.0', files)
    await expect(run()).rejects.toThrow(message)
    expect(await readdir(join(folder, 'vendor'))).toEqual(['thing.json'])
  })

  it('keeps the old tree when the new one cannot be had', async () => {
    await serve()
    await run()
    await writeFile(join(folder, 'vendor/thing/LICENSE'), 'edited')
    served = {}
    await expect(run()).rejects.toThrow(/404/)
    expect(await tree('LICENSE')).toBe('edited')
  })

  it('refuses cut and foreign bytes', async () => {
    const whole = await archive('thing-1.0')
    served['/thing-1.0.tar.gz'] = whole.subarray(0, whole.length - 40)
    await expect(run()).rejects.toThrow(/thing 1\.0 could not be obtained/)
    served['/thing-1.0.tar.gz'] = Buffer.from('<html>not found</html>')
    await expect(run()).rejects.toThrow(/thing-1\.0\.tar\.gz/)
    expect(await readdir(join(folder, 'vendor'))).toEqual(['thing.json'])
  })

  it('takes no link for a file, so that an archive cannot read the machine', async () => {
    const { LICENSE: _, ...rest } = FILES
    await serve('thing-1.0', rest, (content) => symlink('/etc/hostname', join(content, 'thing-1.0/LICENSE')))
    await expect(run()).rejects.toThrow(/does not contain LICENSE/)
  })

  it('refuses a manifest that leads out of its folder', async () => {
    await writeManifest([ARCHIVE], { '../outside': 'x' })
    await expect(readManifest(join(folder, 'vendor/thing.json'))).rejects.toThrow(/'\.\.\/outside'/)
  })

  it('tells of every source why it failed', async () => {
    await writeManifest([NPM, ARCHIVE])
    await expect(run()).rejects.toThrow(
      /could not be obtained.*the npm package carrier@2\.0\.0: npm failed with E404.*thing-1\.0\.tar\.gz: the server answered 404/s,
    )
  })

  it('names the server that is not there', async () => {
    vi.stubEnv('WHISPER_HIP_ARCHIVE_HOST', 'http://127.0.0.1:1')
    await expect(run()).rejects.toThrow(/127\.0\.0\.1:1\/thing-1\.0\.tar\.gz: .*(ECONNREFUSED|bad port)/)
  })
})

describe('an npm package as the source', () => {
  async function publish(): Promise<string> {
    const bytes = await archive('package', {
      'package.json': JSON.stringify({ name: 'carrier', version: '2.0.0', scripts: { prepack: 'exit 1' } }),
      ...Object.fromEntries(Object.entries(FILES).map(([path, text]) => [`cpp/thing/${path}`, text])),
    })
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
    const tarball = '/carrier/-/carrier-2.0.0.tgz'
    served[tarball] = bytes
    const version = { name: 'carrier', version: '2.0.0', dist: { tarball: origin() + tarball, integrity } }
    served['/carrier'] = Buffer.from(
      JSON.stringify({ name: 'carrier', 'dist-tags': { latest: '2.0.0' }, versions: { '2.0.0': version } }),
    )
    return integrity
  }

  it('is fetched with npm', async () => {
    await writeManifest([{ ...NPM, integrity: await publish() }])
    expect(await run()).toBe('fetched')
    expect(await tree('samples/a.wav')).toBe('RIFF')
  })

  it('is refused when its integrity is not the pinned one, and the next source is used', async () => {
    await publish()
    await writeManifest([{ ...NPM, integrity: 'sha512-other' }])
    await expect(run()).rejects.toThrow(/carrier@2\.0\.0: its integrity is sha512-.* instead of sha512-other/)
    await serve()
    await writeManifest([{ ...NPM, integrity: 'sha512-other' }, ARCHIVE])
    expect(await run()).toBe('fetched')
  })
})
