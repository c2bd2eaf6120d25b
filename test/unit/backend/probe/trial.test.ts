import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startTrial, type TrialRequest } from '../../../../lib/backend/probe/trial.ts'
import type { NodeProgram } from '../../../../lib/host/node-program.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whisper-hip-trial-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A program that notes its start in a file of its name, and has `$1`… */
function program(name: string, script: string): string {
  const path = join(folder, name)
  writeFileSync(
    path,
    `#!/bin/sh\necho $$ "$@" | tr '\\n' ' ' >> '${path}.starts'\necho >> '${path}.starts'\n${script}\n`,
  )
  chmodSync(path, 0o755)
  return path
}
const starts = (path: string) =>
  existsSync(`${path}.starts`) ? readFileSync(`${path}.starts`, 'utf8').trim().split('\n') : []

const stage = (name: string) => `echo '{"stage":"${name}","event":"end","ok":true,"milliseconds":1}' >&3`
const greeting = `printf '{"hello":"%s"}\\n' "$1" >&3`
/** In place of the program that is built beside the addon. */
const native = () => program('native', `${greeting}\n${stage('release')}`)

const node = (path: string, changes: Partial<NodeProgram> = {}): NodeProgram => ({
  path,
  namedBy: null,
  embedded: false,
  isCopy: false,
  problem: null,
  ...changes,
})

function run(changes: Partial<TrialRequest> & Pick<TrialRequest, 'node' | 'native'>) {
  const request: TrialRequest = {
    addon: join(folder, 'addon.cjs'),
    cpuModules: ['/cpu-a.so', '/cpu-b.so'],
    hipModule: '/hip.so',
    pciId: '0000:03:00.0',
    environment: { ...process.env, WHISPER_HIP_SYSROOT: folder },
    seconds: 20,
    ...changes,
  }
  return startTrial(request).outcome
}

const passed = { stages: [{ name: 'release', ok: true }], exit: { kind: 'code', code: 0 } }

describe('what is taken for Node', () => {
  it.each([
    ['ends without a word', 'exit 0', /ended with code 0 and did not answer/],
    ['fails without a word', 'echo no such option >&2; exit 9', /ended with code 9 and did not answer/],
    ['says something else', 'echo hello >&3; exec sleep 60', /answered something else/],
    [
      'claims to be the trial',
      `echo '{"hello":"trial-1-x"}' >&3; ${stage('release')}`,
      /answered something else/,
    ],
    ['knows the stages and no token', `${stage('release')}; exec sleep 60`, /answered something else/],
  ])('and %s is not: the other program is started', async (_, script, problem) => {
    const launcher = program('launcher', script)
    const other = native()
    expect(await run({ node: node(launcher), native: other })).toMatchObject(passed)
    expect(starts(launcher)).toHaveLength(1)
    expect(starts(other)).toHaveLength(1)
    const again = program('again', script)
    expect(await run({ node: node(again), native: null })).toMatchObject({
      stages: [],
      exit: { kind: 'not the program', problem: expect.stringMatching(problem) },
    })
  })

  it('and says nothing is killed with what it has started', async () => {
    const launcher = program('launcher', `setsid sleep 60 & echo $! > '${join(folder, 'child')}'; wait`)
    const outcome = await run({ node: node(launcher), native: null, seconds: 4 })
    expect(outcome.exit).toMatchObject({
      kind: 'not the program',
      problem: expect.stringMatching(/did not answer within 2 s/),
    })
    const child = Number(readFileSync(join(folder, 'child'), 'utf8'))
    await expect.poll(() => existsSync(`/proc/${child}`) && state(child)).not.toMatch(/[SRT]/)
  })

  it('and does not exist is not', async () => {
    const other = native()
    expect(await run({ node: node(join(folder, 'absent')), native: other })).toMatchObject(passed)
    expect((await run({ node: node(join(folder, 'absent')), native: null })).exit).toMatchObject({
      kind: 'not the program',
      problem: expect.stringMatching(/it cannot be run: spawn .*absent ENOENT/),
    })
  })

  it('and is ended from outside may be', async () => {
    const launcher = program('launcher', 'kill -TERM $$')
    expect((await run({ node: node(launcher), native: native() })).exit).toEqual({
      kind: 'signal',
      signal: 'SIGTERM',
      outOfMemory: false,
    })
  })
})

/** Of `/proc`, e.g. S. */
function state(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .slice(0, 1)
  } catch {
    return ''
  }
}

describe('a trial', () => {
  it('runs in Node where that is Node', async () => {
    writeFileSync(
      join(folder, 'addon.cjs'),
      `exports.probe = (cpu, hip, pci, fd) => require('node:fs').writeSync(fd, JSON.stringify({ stage: 'release', event: 'end', ok: true, milliseconds: 1 }) + '\\n')`,
    )
    const other = native()
    expect(await run({ node: node(process.execPath), native: other })).toMatchObject(passed)
    expect(starts(other)).toEqual([])
  })

  it('gives the other program its arguments', async () => {
    const other = native()
    await run({ node: node('/opt/app', { problem: 'it is an application' }), native: other })
    expect(starts(other)[0]).toMatch(
      / trial-1-[0-9a-f-]{36} 3 \/hip\.so 0000:03:00\.0 \/cpu-a\.so \/cpu-b\.so *$/,
    )
  })

  it('does not start a program that has an application inside, where there is the other one', async () => {
    const launcher = program('launcher', 'exec sleep 60')
    expect(await run({ node: node(launcher, { embedded: true }), native: native() })).toMatchObject(passed)
    expect(starts(launcher)).toEqual([])
  })

  it.each([
    ['known not to be Node, without the other program', { problem: 'it is an application' }, false],
    [
      'named, and known not to be Node',
      { namedBy: 'WHISPER_HIP_NODE', problem: 'it is an application' },
      true,
    ],
    ['a copy of the application', { isCopy: true, problem: 'it was started as Node' }, true],
  ] as const)('starts nothing where the program is %s', async (_, changes, isBuilt) => {
    const launcher = program('launcher', '')
    const other = native()
    const outcome = await run({ node: node(launcher, changes), native: isBuilt ? other : null })
    expect(outcome).toMatchObject({ stages: [], exit: { kind: 'not the program' } })
    expect([...starts(launcher), ...starts(other)]).toEqual([])
  })

  it('uses no other program than the one that is named', async () => {
    const launcher = program('launcher', 'exit 0')
    const other = native()
    const outcome = await run({ node: node(launcher, { namedBy: 'nodePath' }), native: other })
    expect(outcome.exit).toMatchObject({
      problem: `nodePath names ${launcher}, which is not Node (it ended with code 0 and did not answer)`,
    })
    expect(starts(other)).toEqual([])
  })

  it('says of both programs what is wrong', async () => {
    const other = program('native', 'exit 3')
    const { exit } = await run({ node: node('/opt/app', { problem: 'it is an application' }), native: other })
    expect(exit).toMatchObject({
      problem: `the program of this process, /opt/app, is not Node (it is an application), and ${other} cannot be used (it ended with code 3 and did not answer)`,
    })
  })
})
