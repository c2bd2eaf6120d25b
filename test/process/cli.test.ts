import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { createProgram } from '../../lib/cli/program.ts'
import { shownCommands, withHelp } from '../../scripts/cli-page.mjs'
import { buildGguf } from '../fixtures/gguf-builder.ts'
import { buildWav } from '../native/wav.ts'
import { folder, makeMaterials, materials } from './child.ts'
import { type CliOptions, cli, runCli } from './cli.ts'

const hum = join(folder, 'a hum.wav')
const longHum = join(folder, 'long hum.wav')
const text = 'This is number 0.'
/** So long that `.json` does not fit in the place of `.wav`. */
const longName = `${'n'.repeat(251)}.wav`

function wavOf(seconds: number): Uint8Array {
  const samples = Int16Array.from({ length: seconds * 16_000 }, (_, i) => 9000 * Math.sin(i / 7))
  return buildWav({ format: 1, bits: 16, data: new Uint8Array(samples.buffer) })
}

beforeAll(() => {
  makeMaterials()
  writeFileSync(hum, wavOf(3))
  writeFileSync(longHum, wavOf(600))
  writeFileSync(join(folder, longName), wavOf(1))
  mkdirSync(join(folder, 'in the way', 'a hum.txt'), { recursive: true })
})

const onCpu = ['--model', materials.SMALL_MODEL, '--backend', 'cpu', '--language', 'en']
const transcribe = (args: readonly string[], options: CliOptions = {}) =>
  runCli(['transcribe', ...onCpu, ...args], { cwd: folder, ...options })

describe('usage', () => {
  it.each([['--help'], ['-h'], ['transcribe', '--help'], ['help', 'doctor'], ['--version']])(
    '%s %s is answered on stdout',
    async (...args) => {
      const ended = await runCli(args)
      expect(ended).toMatchObject({ code: 0, stderr: '' })
      expect(ended.stdout).not.toBe('')
    },
  )

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
    expect((await runCli(['--version'])).stdout).toBe(`${version}\n`)
  })

  it.each<[string[], string]>([
    [[], 'Usage: whisper-hip'],
    [['transcribe', '--beem-size', '3', 'x.wav'], 'Did you mean --beam-size?'],
    [['doctor', '--require-gpus'], 'Did you mean --require-gpu?'],
    [['docter'], 'Did you mean doctor?'],
    [['transcribe'], "missing required argument 'file'"],
    [['transcribe', 'x.wav', '--beam-size'], "option '--beam-size <n>' argument missing"],
    [['transcribe', 'x.wav', '--json', '--format', 'srt'], 'cannot be used with'],
    [['doctor', '--json', '--markdown'], 'cannot be used with'],
    [['doctor', 'extra'], 'too many arguments'],
    [['doctor', '--model', 'base'], '--model is of use with --run only'],
    [['doctor', '--audio', 'x.wav'], '--audio is of use with --run only'],
    [['build', '--hip', '--cpu'], 'cannot be used with'],
    [['models'], 'Usage: whisper-hip models'],
    [['models', 'lst'], 'Did you mean list?'],
  ])('%j is wrong: exit code 2, nothing on stdout', async (args, message) => {
    const ended = await runCli(args)
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toContain(message)
  })

  it('of values is checked before a model is looked for', async () => {
    const ended = await runCli(['transcribe', hum, '--model', 'no such model', '--beam-size', '33'])
    expect(ended).toMatchObject({
      code: 2,
      stdout: '',
      stderr:
        'whisper-hip: Expected an integer from 1 to 32 for --beam-size but received 33 of type number\n',
    })
  })

  it('that depends on the model is wrong usage too', async () => {
    const ended = await transcribe([hum, '--task', 'translate'])
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(/^whisper-hip: Expected "transcribe" .* for --task.*\n {2}- Load a multi/)
  })
})

describe('transcribe', () => {
  it('prints the text and nothing else', async () => {
    expect(await transcribe([hum])).toMatchObject({ code: 0, stdout: `${text}\n`, stderr: '' })
  })

  it('reads standard input', async () => {
    const ended = await transcribe(['-', '--format', 'srt'], { input: wavOf(3) })
    expect(ended).toMatchObject({
      code: 0,
      stdout: `1\n00:00:00,000 --> 00:00:02,990\n${text}\n\n`,
      stderr: '',
    })
  })

  it('prints a result as JSON', async () => {
    const ended = await transcribe([hum, '--json'])
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(ended.stdout)).toMatchObject({
      text,
      duration: 3,
      segments: [{ id: 0, start: 0, end: 2.99 }],
      stats: { backend: 'cpu', gpuNodes: 0 },
    })
    expect((await transcribe([hum, '-f', 'json'])).code).toBe(0)
  })

  it('prints several recordings with their names', async () => {
    expect(await transcribe([hum, hum])).toMatchObject({
      code: 0,
      stdout: `==> ${hum} <==\n${text}\n==> ${hum} <==\n${text}\n`,
    })
  })

  it('hands options on', async () => {
    const ended = await transcribe([longHum, '--clips', '30-33,60-63', '--max-segment-length', '10'])
    expect(ended).toMatchObject({ code: 0, stdout: 'This is\nnumber 0.\nThis is\nnumber 0.\n', stderr: '' })
  })

  it('writes files, and prints their paths', async () => {
    const ended = await transcribe([hum, '-f', 'srt,vtt', '-f', 'json', '-o', 'some/new folder'])
    const names = ['a hum.json', 'a hum.srt', 'a hum.vtt']
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout.trimEnd().split('\n').toSorted()).toEqual(
      names.map((name) => join('some/new folder', name)),
    )
    expect(readdirSync(join(folder, 'some/new folder')).toSorted()).toEqual(names)
    expect(readFileSync(join(folder, 'some/new folder/a hum.vtt'), 'utf8')).toMatch(/^WEBVTT\n\n/)
  })

  it('goes on after a bad recording, and says so at the end', async () => {
    writeFileSync(join(folder, 'bad.wav'), 'this is a text, and no recording at all')
    const ended = await transcribe(['bad.wav', hum, '-o', 'after bad'])
    expect(ended).toMatchObject({ code: 1, stdout: 'after bad/a hum.txt\n' })
    expect(ended.stderr).toMatch(/^whisper-hip: Cannot decode .*bad\.wav.* \(ERR_AUDIO_DECODE\)\n/)
  })

  it('prints what it cannot write after all, and goes on', async () => {
    // Larger files than nothing are refused: an empty one can still be made.
    const args = [hum, longHum, '--duration', '3', '-o', 'no room']
    const ended = await transcribe(args, { before: 'ulimit -f 0;' })
    expect(ended.code).toBe(1)
    expect(ended.stdout).toContain(`==> no room/a hum.txt <==\n${text}`)
    expect(ended.stdout).toContain(`==> no room/long hum.txt <==\n${text}`)
    expect(ended.stderr.match(/Cannot write 'no room\/.*': .*\(ERR_WRITE\)/g)).toHaveLength(2)
    expect(readdirSync(join(folder, 'no room'))).toEqual([])
  })

  it.each<[string[], string, number]>([
    [['none.wav'], "whisper-hip: Cannot decode 'none.wav': there is no such file (ERR_AUDIO_DECODE)\n", 1],
    [
      [hum, '--model', 'bose'],
      'There is no model "bose": did you mean "base"? (ERR_MODEL_NOT_FOUND)\n  - ',
      1,
    ],
    [[hum, '--device', '9', '--backend', 'hip'], 'ERR_BACKEND_UNAVAILABLE', 1],
    [['https://example.com/a.wav'], '- Fetch it: curl -L https://example.com/a.wav | whisper-hip', 2],
    [[hum, '--grammar', '@none.gbnf'], 'ENOENT', 1],
    [
      [hum, '--output', '/proc/none/at all'],
      "Cannot write '/proc/none/at all': its folder does not exist (ERR_WRITE)",
      1,
    ],
    [[hum, '--output', `${hum}/x`], 'a part of the path is not a folder (ERR_WRITE)', 1],
    [[hum, '--output', hum], 'a file is in the way (ERR_WRITE)', 1],
    [[hum, '--output', 'in the way'], "Cannot write 'in the way/a hum.txt': it is a folder (ERR_WRITE)", 1],
    [[hum, '--output', 'x'.repeat(300)], 'the name is too long for the file system (ERR_WRITE)', 1],
    [[longName, '-f', 'json', '--output', 'long'], 'the name is too long for the file system (ERR_WRITE)', 1],
  ])('%j fails with message and advice', async (args, message, code) => {
    const ended = await transcribe(args, { env: { XDG_CACHE_HOME: join(folder, 'empty') } })
    expect(ended).toMatchObject({ code, stdout: '' })
    expect(ended.stderr).toContain(message)
    expect(ended.stderr).not.toMatch(/^ +at /m)
  })

  it('never runs on the CPU without a word', async () => {
    const args = ['transcribe', hum, '--model', materials.SMALL_MODEL, '--language', 'en']
    // A machine without any GPU, whatever machine this is.
    mkdirSync(join(folder, 'empty root'), { recursive: true })
    const env = { WHISPER_HIP_SYSROOT: join(folder, 'empty root') }
    const ended = await runCli(args, { env })
    expect(ended).toMatchObject({ code: 0, stdout: `${text}\n` })
    expect(ended.stderr).toMatch(
      /^whisper-hip: runs on the CPU \([A-Z_]+\): .*\. Run `npx whisper-hip doctor` for what to do\.\n$/,
    )
    const silent = await runCli(args, { env: { ...env, NODE_NO_WARNINGS: '1' } })
    expect(silent).toMatchObject({ code: 0, stderr: '' })
  })

  it('shows the log when it is asked to', async () => {
    const ended = await transcribe([hum, '--verbose'])
    expect(ended).toMatchObject({ code: 0, stdout: `${text}\n` })
    expect(ended.stderr).toMatch(/^whisper-hip: info: .*model size/m)
  })
})

describe('the end', () => {
  // Many short parts: the first text comes soon, the last one late.
  const clips = Array.from({ length: 190 }, (_, i) => `${3 * i}-${3 * i + 3}`).join()
  const slow = ['transcribe', longHum, ...onCpu, '--clips', clips]

  it.each<[NodeJS.Signals, number]>([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('%s cancels with exit code %d', async (signal, code) => {
    const ended = await runCli(slow, { signal })
    expect(ended).toMatchObject({ code, signal: null, stderr: '' })
    expect(ended.stdout).toContain('This is number')
    expect(ended.seconds).toBeLessThan(10)
  })

  it('leaves no half-written file when it is interrupted', async () => {
    const output = join(folder, 'interrupted')
    const ended = await runCli([...slow, '-o', output, '--verbose'], {
      signal: 'SIGINT',
      when: 'model size',
    })
    expect(ended).toMatchObject({ code: 130, stdout: '' })
    expect(readdirSync(output)).toEqual([])
  })

  it('comes early and quietly when nobody reads on', async () => {
    const ended = await runCli(slow, { leave: true })
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(ended.seconds).toBeLessThan(15)
    expect(await transcribe([hum], { before: 'exec 1>&-;' })).toMatchObject({ code: 0, stderr: '' })
  })

  it('does not hide a verdict when nobody reads it', async () => {
    mkdirSync(join(folder, 'empty root'), { recursive: true })
    const closed = await runCli(['doctor', '--require-gpu'], {
      before: 'exec 1>&-;',
      env: { WHISPER_HIP_SYSROOT: join(folder, 'empty root') },
    })
    expect(closed.code).toBe(1)
  })

  it('is a failure when the output cannot be written', async () => {
    const ended = await transcribe([hum], { before: 'exec 1>/dev/full;' })
    expect(ended).toMatchObject({ code: 1 })
    expect(ended.stderr).toMatch(/^whisper-hip: Cannot write to standard output: .*ENOSPC/)
    const list = await runCli(['models', 'list'], { before: 'exec 1>/dev/full;' })
    expect(list).toMatchObject({ code: 1 })
  })
})

describe('on a terminal', () => {
  it('shows progress, takes it away, and sums up', async () => {
    const args = ['transcribe', hum, ...onCpu].map((arg) => `'${arg}'`).join(' ')
    const command = `'${process.execPath}' '${cli}' ${args}`
    const { stdout } = await promisify(execFile)('script', ['-qec', command, '/dev/null'])
    expect(stdout).toContain('\r\x1b[KLoading ')
    expect(stdout).toContain(`\r\x1b[K${text}\r\n`)
    expect(stdout).toMatch(
      /whisper-hip: .*: 3\.0 s in .* on CPU; 0 graph nodes on the GPU, \d+ on the CPU\r\n$/,
    )
  })
})

describe('doctor', () => {
  const env = { WHISPER_HIP_SYSROOT: join(folder, 'no gpu') }
  beforeAll(() => mkdirSync(join(folder, 'no gpu')))

  it('says what is the matter, and fails only when it is asked to', async () => {
    const ended = await runCli(['doctor'], { env })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toMatch(
      /^The GPU is not used: transcriptions run on the CPU\n[A-Z_]+: [\s\S]+?\n\nTo use the GPU\n {2}1\. /,
    )
    expect(await runCli(['doctor', '--require-gpu'], { env })).toMatchObject({
      code: 1,
      stdout: ended.stdout,
      stderr: '',
    })
  })

  it('prints what backendInfo() answers', async () => {
    const ended = await runCli(['doctor', '--json', '--require-gpu'], { env })
    expect(ended).toMatchObject({ code: 1, stderr: '' })
    expect(JSON.parse(ended.stdout)).toMatchObject({
      active: 'cpu',
      devices: [],
      environment: env,
      components: { encoder: 'cpu' },
      installations: [],
      machine: {
        os: { name: null, id: null, version: null },
        architecture: process.arch,
        node: process.version,
        packages: { 'whisper-hip': expect.any(String), 'whisper.cpp': expect.any(String) },
        variables: expect.objectContaining(env),
      },
    })
    expect(JSON.parse(ended.stdout)).not.toHaveProperty('run')
  })

  it('has nothing to run without a GPU, and says so', async () => {
    const ended = await runCli(['doctor', '--run'], { env })
    expect(ended).toMatchObject({ code: 1, stderr: '' })
    expect(ended.stdout).toMatch(/^The GPU is not used: [\s\S]+\nTo use the GPU\n {2}1\. /)
    expect(ended.stdout).toContain('Nothing was transcribed: the GPU cannot be used.')
    const json = await runCli(['doctor', '--run', '--json'], { env })
    expect(json).toMatchObject({ code: 1, stderr: '' })
    expect(JSON.parse(json.stdout).run).toMatchObject({ works: false, gpu: null, cpu: null })
  })

  it('writes a report that does not name the home folder', async () => {
    const ended = await runCli(['doctor', '--markdown'], { env: { ...env, HOME: packageRoot() } })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toContain('addon ~/build/')
    expect(ended.stdout).not.toContain(packageRoot())
  })

  it('has no colours but on a terminal', async () => {
    const plain = await runCli(['doctor'], { env })
    expect(plain.stdout).not.toContain('\x1b[')
    const onTerminal = (more: NodeJS.ProcessEnv) =>
      promisify(execFile)('script', ['-qec', `'${process.execPath}' '${cli}' doctor`, '/dev/null'], {
        env: { ...process.env, ...env, TERM: 'xterm', NO_COLOR: '', ...more },
      })
    expect((await onTerminal({})).stdout).toContain('\x1b[33mThe GPU is not used')
    expect((await onTerminal({ NO_COLOR: '1' })).stdout).not.toContain('\x1b[')
  })

  it('fails where the library itself cannot be loaded', async () => {
    const copy = join(folder, 'without addon')
    mkdirSync(copy)
    cpSync(join(packageRoot(), 'dist'), join(copy, 'dist'), { recursive: true })
    cpSync(join(packageRoot(), 'package.json'), join(copy, 'package.json'))
    symlinkSync(join(packageRoot(), 'node_modules'), join(copy, 'node_modules'))
    const ended = await runCli(['doctor'], { program: join(copy, 'dist/cli.js'), cwd: copy })
    expect(ended).toMatchObject({ code: 1, stderr: '' })
    expect(ended.stdout).toMatch(/^whisper-hip does not work here: .*\nNATIVE_MISSING: /)
    expect(ended.stdout).toMatch(/^To use whisper-hip\n {2}1\. [^:]+:\s+npx whisper-hip build$/m)
  })
})

describe('models', () => {
  const env = { XDG_CACHE_HOME: join(folder, 'cache'), WHISPER_HIP_CACHE: undefined }

  it('lists the catalogue', async () => {
    const ended = await runCli(['models', 'list'], { env })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toMatch(/^base +74 million {2}99 languages +148 MB {2}-$/m)
    const json = await runCli(['models', 'list', '--json'], { env })
    expect(JSON.parse(json.stdout)[0]).toMatchObject({ name: 'tiny', path: null })
  })

  it('tells where a model is, and fails when it is not there', async () => {
    const missing = await runCli(['models', 'path', 'tiny'], { env })
    expect(missing).toMatchObject({ code: 1, stdout: '' })
    expect(missing.stderr).toContain('is not in the cache')
    const ended = await runCli(['models', 'list', '--json'])
    const cached = (JSON.parse(ended.stdout) as { name: string; path: string | null }[]).find(
      ({ path }) => path !== null,
    )
    if (cached !== undefined) {
      const found = await runCli(['models', 'path', cached.name])
      expect(found).toMatchObject({ code: 0, stdout: `${cached.path}\n`, stderr: '' })
      const again = await runCli(['models', 'download', cached.name])
      expect(again).toMatchObject({ code: 0, stdout: `${cached.path}\n`, stderr: '' })
    }
  })
})

describe('convert and inspect', () => {
  const source = join(folder, 'a source.gguf')
  beforeAll(() => writeFileSync(source, buildGguf({ layers: 1, audioContext: 64 })))

  it('convert, compare and say what was done', async () => {
    const ended = await runCli(['convert', source, '-o', 'made.gguf', '--type', 'q8_0', '--verify'], {
      cwd: folder,
    })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toMatch(
      /^made\.gguf: gguf q8_0, [\d.]+ MB, from gguf \(\d+ tensors f16 -> q8_0\), compared with the source\n$/,
    )
    const again = await runCli(['convert', source, '-o', 'made.gguf'], { cwd: folder })
    expect(again).toMatchObject({ code: 2, stdout: '' })
    expect(again.stderr).toContain("'made.gguf' is there already\n  - Pass --force")
    expect((await runCli(['convert', source, '-o', 'made.gguf', '--force'], { cwd: folder })).code).toBe(0)
  })

  it('say what a model is', async () => {
    const ended = await runCli(['inspect', source])
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toMatch(/^format +gguf, version 3, GGUF specification$/m)
    expect(ended.stdout).toMatch(/^f16 +\d+ +[\d.]+ MB$/m)
    const json = await runCli(['inspect', source, '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({
      loads: true,
      files: [source],
      hyperparameters: { audioState: 64 },
      weightType: 'f16',
    })
  })

  it('say what keeps a file from loading', async () => {
    const broken = join(folder, 'broken.gguf')
    writeFileSync(broken, readFileSync(source).subarray(0, 1_000_000))
    const ended = await runCli(['inspect', broken])
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toContain('is damaged: it ends at byte 1000000')
    const json = await runCli(['inspect', broken, '--json'])
    expect(json.code).toBe(1)
    expect(JSON.parse(json.stdout)).toMatchObject({ loads: false, code: 'ERR_MODEL_CORRUPT' })
  })

  it.each<[string[], string]>([
    [['convert', 'x'], "required option '-o, --output <file>' not specified"],
    [['convert', 'x', '-o', 'y.gguf', '--type', 'q9'], 'Allowed choices are auto, f32'],
    [['convert', 'x', '-o', 'y.onnx'], 'Expected a path that ends in .gguf or .bin'],
  ])('%j is wrong usage', async (args, message) => {
    const ended = await runCli(args, { cwd: folder })
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toContain(message)
  })
})

describe('build', () => {
  it('compiles nothing that is up to date', async () => {
    const ended = await runCli(['build'])
    expect(ended).toMatchObject({ code: 0, stdout: '' })
    expect(ended.stderr).toContain('is up to date')
  })

  it('fails and says why', async () => {
    const ended = await runCli(['build', '--hip'], {
      env: { ROCM_PATH: join(folder, 'none'), CXX: '/no/compiler', CC: '/no/compiler' },
    })
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toMatch(/^whisper-hip: .+\n/m)
    expect(ended.stderr).not.toMatch(/^ +at /m)
  })
})

describe('docs/cli.md', () => {
  const page = readFileSync(join(packageRoot(), 'docs/cli.md'), 'utf8')

  it('shows the help that the program prints', () => {
    expect(withHelp(page)).toBe(page)
  })

  it('shows it of every command', () => {
    const program = createProgram({ signal: new AbortController().signal, onInterrupt() {}, fail() {} })
    const namesOf = (command: typeof program, before: string): string[] => [
      before,
      ...command.commands.flatMap((child) => namesOf(child, `${before} ${child.name()}`.trim())),
    ]
    expect(shownCommands(page).toSorted()).toEqual(namesOf(program, '').toSorted())
  })
})

describe('the bundle', () => {
  it('takes the library from its own build', () => {
    expect(readFileSync(cli, 'utf8')).not.toMatch(/class WhisperHipError|setLogSink/)
  })

  it('is what the package runs', () => {
    const { bin, files } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
    expect(existsSync(join(packageRoot(), bin['whisper-hip']))).toBe(true)
    expect(files).toContain('dist')
    expect(readFileSync(cli, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  })
})

describe('a recording', () => {
  const cut = join(folder, 'cut.wav')
  beforeAll(() => writeFileSync(cut, wavOf(3).subarray(0, 50_000)))

  it('that is cut off is transcribed, with one line of warning on stderr and in JSON', async () => {
    const ended = await transcribe([cut])
    expect(ended).toMatchObject({ code: 0, stdout: `${text}\n` })
    expect(ended.stderr).toMatch(
      /^whisper-hip: warning: .*cut\.wav: The recording is cut off at 1\.56 s.* \(AUDIO_TRUNCATED\)\n$/,
    )
    const json = JSON.parse((await transcribe([cut, '--json'])).stdout)
    expect(json.warnings).toMatchObject([{ code: 'AUDIO_TRUNCATED', end: 3 }])
  })

  it('may be a named pipe, a descriptor or standard input', async () => {
    const pipe = join(folder, 'a pipe')
    await promisify(execFile)('mkfifo', [pipe])
    const [ended] = await Promise.all([
      transcribe([pipe]),
      promisify(execFile)('sh', ['-c', 'cat "$1" > "$2"', 'sh', hum, pipe]),
    ])
    expect(ended).toMatchObject({ code: 0, stderr: '', stdout: `${text}\n` })
    for (const name of ['/dev/stdin', '/dev/fd/0', '-'])
      expect(await transcribe([name], { input: readFileSync(hum) })).toMatchObject({
        code: 0,
        stdout: `${text}\n`,
      })
  })
})
