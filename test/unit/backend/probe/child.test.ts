import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startProbe } from '../../../../lib/backend/probe/child.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whisper-hip-probe-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A trial whose addon is this program, which has `say(stage, event)` and `fs`. */
function run(
  program: string,
  { seconds = 20, environment = {} }: { seconds?: number; environment?: NodeJS.ProcessEnv } = {},
) {
  const addon = join(folder, 'addon.cjs')
  writeFileSync(
    addon,
    `const fs = require('node:fs')
exports.probe = (cpu, hip, pci, fd) => {
  const say = (stage, event) => fs.writeSync(fd, JSON.stringify({ stage, event, ok: true, milliseconds: 1 }) + '\\n')
  ${program}
}`,
  )
  const steps: string[] = []
  const request = {
    addon,
    cpuModules: [],
    hipModule: '/hip.so',
    pciId: null,
    environment: { ...process.env, WHISPER_HIP_SYSROOT: folder, ...environment },
    seconds,
  }
  return {
    steps,
    ...startProbe({ kind: 'node', path: process.execPath }, request, (step) => steps.push(step)),
  }
}

const FOREVER = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)'
const DONE = "say('release', 'begin'); say('release', 'end')"

describe('a trial', () => {
  it('tells each step, and how it ended', async () => {
    const { steps, outcome } = run(`say('add', 'begin'); say('add', 'end'); ${DONE}`)
    expect(await outcome).toMatchObject({
      stages: [{ name: 'add', ok: true }, { name: 'release' }],
      exit: { kind: 'code', code: 0 },
    })
    expect(steps).toEqual(['add', 'release'])
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGKILL'])('was ended by %s', async (signal) => {
    const { outcome } = run(`say('add', 'begin'); process.kill(process.pid, '${signal}'); ${FOREVER}`)
    expect((await outcome).exit).toMatchObject({ kind: 'signal', signal })
  })

  it('is ended when a stage takes half of the limit', async () => {
    const { outcome } = run(`say('add', 'begin'); ${FOREVER}`, { seconds: 8 })
    expect((await outcome).exit).toEqual({ kind: 'timeout', seconds: 4, of: 'stage', busy: false })
  })

  it('is ended when all takes longer than the limit, though it goes on', async () => {
    const { outcome } = run(
      `for (;;) { say('add', 'begin'); say('add', 'end'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200) }`,
      { seconds: 6 },
    )
    expect((await outcome).exit).toEqual({ kind: 'timeout', seconds: 6, of: 'trial', busy: false })
  })

  it('says that the machine was busy', async () => {
    mkdirSync(join(folder, 'proc/pressure'), { recursive: true })
    writeFileSync(join(folder, 'proc/pressure/cpu'), 'some avg10=99.00 avg60=80.00 avg300=50.00 total=1\n')
    const { outcome } = run(FOREVER, { seconds: 8 })
    expect((await outcome).exit).toMatchObject({ kind: 'timeout', busy: true })
  })

  it('is not taken for hung where this process was busy itself', async () => {
    const { outcome } = run(`say('add', 'begin'); say('add', 'end'); ${DONE}`, { seconds: 6 })
    await new Promise((resolve) => setTimeout(resolve, 50))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 7000)
    expect((await outcome).exit).toEqual({ kind: 'code', code: 0 })
  })

  it('is over when its process is, though another one holds its pipes', async () => {
    const begun = performance.now()
    const { outcome } = run(
      `${DONE}; require('node:child_process').spawn('sleep', ['30'], { stdio: ['ignore', 'ignore', 2, fd], detached: true }).unref(); process.exit(0)`,
    )
    expect((await outcome).exit).toEqual({ kind: 'code', code: 0 })
    expect(performance.now() - begun).toBeLessThan(10_000)
  })

  it('has a session of its own: what the terminal sends to this one does not end it', async () => {
    const { outcome } = run(
      `fs.writeFileSync(${JSON.stringify(join(folder, 'stat'))}, fs.readFileSync('/proc/self/stat')); ${DONE}`,
    )
    await outcome
    const [, , group, session] = readFileSync(join(folder, 'stat'), 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    const [, , own] = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    expect(group).not.toBe(own)
    expect(session).toBe(group)
  })

  it('has the environment that it is given, and at least the first level of HIP’s log', async () => {
    const print = `fs.writeFileSync(${JSON.stringify(join(folder, 'env'))}, process.env.AMD_LOG_LEVEL + process.env.ROCR_VISIBLE_DEVICES)`
    await run(print, { environment: { ROCR_VISIBLE_DEVICES: '7', AMD_LOG_LEVEL: '' } }).outcome
    expect(readFileSync(join(folder, 'env'), 'utf8')).toBe('17')
    await run(print, { environment: { ROCR_VISIBLE_DEVICES: '7', AMD_LOG_LEVEL: '4' } }).outcome
    expect(readFileSync(join(folder, 'env'), 'utf8')).toBe('47')
  })
})
