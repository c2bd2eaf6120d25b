import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'tsup'
import { describe, expect, it, onTestFinished } from 'vitest'
import { buildGgml } from '../../fixtures/ggml-builder.ts'
import { sendFile, serve, sha256, temporaryFolder } from './server.ts'

const body = Buffer.from(buildGgml({ state: 32, layers: 1 }))

/** A program that prints `stored` when bytes have arrived, then the path of the model behind the URL in its argument. */
async function buildProgram(): Promise<{ program: string; folder: string }> {
  const folder = await temporaryFolder()
  await build({
    entry: { download: 'lib/model/download/index.ts' },
    outDir: folder,
    format: 'cjs',
    config: false,
    silent: true,
    noExternal: [/.*/],
  })
  const program = join(folder, 'program.js')
  await writeFile(
    program,
    `const { obtainModel } = require('./download.js')
     const onProgress = ({ received }) => console.log('stored', received)
     obtainModel(process.argv[2], { onProgress }).then(console.log)`,
  )
  return { program, folder }
}

function start(
  program: string,
  folder: string,
  url: URL,
): { child: ChildProcess; output: Promise<string[]> } {
  const child = spawn(process.execPath, [program, url.href], {
    env: { ...process.env, WHISPER_HIP_CACHE: join(folder, 'cache') },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const output = new Promise<string[]>((resolve) =>
    child.once('close', () => resolve(text.trim().split('\n'))),
  )
  return { child, output }
}

describe('two processes that want the same model', () => {
  it('download it once; and when the first is killed, the second goes on where it stopped', async () => {
    const { program, folder } = await buildProgram()

    const slow = await serve((_request, response) => {
      response.setHeader('content-length', body.length)
      response.write(body.subarray(0, 10_000))
      setTimeout(() => response.end(body.subarray(10_000)), 500)
    })
    const both = [start(program, folder, slow.url()), start(program, folder, slow.url())]
    const [one, other] = await Promise.all(both.map(({ output }) => output))
    expect(one?.at(-1)).toMatch(/ggml-test\.bin$/)
    expect(other?.at(-1)).toBe(one?.at(-1))
    expect(slow.requests.length).toBe(1)

    const dying = await serve((request, response, index) => {
      if (index > 0) return sendFile(request, response, body)
      response.writeHead(200, { etag: '"v1"', 'content-length': body.length })
      response.write(body.subarray(0, 8_000))
    })
    const first = start(program, folder, dying.url())
    await new Promise((resolve) => first.child.stdout?.once('data', resolve))
    const second = start(program, folder, dying.url())
    await new Promise((resolve) => setTimeout(resolve, 200))
    first.child.kill('SIGKILL')
    const path = (await second.output).at(-1) ?? ''
    expect(sha256(await readFile(path))).toBe(sha256(body))
    expect(dying.requests.map((request) => request.headers.range)).toEqual([undefined, 'bytes=8000-'])
  })
})
