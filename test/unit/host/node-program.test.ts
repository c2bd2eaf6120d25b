import { describe, expect, it } from 'vitest'
import { guarded, takeOutGuard } from '../../../lib/host/guard.ts'
import { type Host, nodeProgram, notNode, notNodeError, unmask } from '../../../lib/host/node-program.ts'

const host = (changes: Partial<Host> = {}): Host => ({
  execPath: '/usr/bin/node',
  versions: { node: '20.20.2' },
  environment: {},
  isSea: false,
  isPacked: false,
  copiesAbove: 0,
  ...changes,
})
const named = (path: string) => ({ environment: { WHISPER_HIP_NODE: path } })

describe('which program is Node', () => {
  it('the option before the variable before that of this process', () => {
    expect(nodeProgram(undefined, host())).toEqual({
      path: '/usr/bin/node',
      namedBy: null,
      embedded: false,
      isCopy: false,
      problem: null,
    })
    expect(nodeProgram(undefined, host(named('/opt/node')))).toMatchObject({
      path: '/opt/node',
      namedBy: 'WHISPER_HIP_NODE',
    })
    expect(nodeProgram('/my/node', host(named('/opt/node')))).toMatchObject({
      path: '/my/node',
      namedBy: 'nodePath',
    })
  })

  it('a variable that is set to nothing names nothing', () => {
    expect(nodeProgram(undefined, host(named('')))).toMatchObject({ path: '/usr/bin/node', namedBy: null })
  })

  it.each([
    ['a single executable', { isSea: true }],
    ['pkg', { isPacked: true }],
    ['Electron', { versions: { electron: '33.0.0' } }],
    ['Bun', { versions: { bun: '1.2.0' } }],
    ['Deno', { versions: { deno: '2.0.0' } }],
  ])('that of %s may be the application, and one that is named is not', (_, changes) => {
    expect(nodeProgram(undefined, host(changes)).embedded).toBe(true)
    expect(nodeProgram('/usr/bin/node', host({ ...changes, execPath: '/opt/app' })).embedded).toBe(false)
  })

  it('that of a single executable is not, also when it is named', () => {
    const single = host({ execPath: '/opt/app', isSea: true })
    expect(nodeProgram(undefined, single).problem).toBe('it is an application in a single executable')
    expect(nodeProgram('/opt/app', single).problem).toBe('it is an application in a single executable')
    expect(nodeProgram('/usr/bin/node', single).problem).toBeNull()
  })

  it('one that turned out not to be is not started again', () => {
    const program = nodeProgram(undefined, host({ execPath: '/opt/unmasked' }))
    expect(program.problem).toBeNull()
    unmask(program, 'it did not answer within 15 s')
    expect(nodeProgram(undefined, host({ execPath: '/opt/unmasked' })).problem).toBe(
      'it did not answer within 15 s',
    )
    expect(nodeProgram('/opt/unmasked', host()).problem).toBe('it did not answer within 15 s')
    expect(nodeProgram(undefined, host()).problem).toBeNull()
  })
})

describe('the guard', () => {
  const launcher = (environment: NodeJS.ProcessEnv) =>
    nodeProgram(undefined, host({ execPath: '/opt/launcher', environment }))

  it('stops the copy of an application from starting the next one', () => {
    expect(launcher({}).problem).toBeNull()
    const inCopy = launcher(guarded({}, '/opt/launcher'))
    expect(inCopy).toMatchObject({
      isCopy: true,
      problem: 'it was started as Node, and started this application again',
    })
  })

  it('leaves the environment that it is given alone', () => {
    const environment = { A: '1' }
    expect(guarded(environment, '/x')).toMatchObject({ A: '1' })
    expect(environment).toEqual({ A: '1' })
  })

  it('does not stop another Node below a copy that lives on', () => {
    const environment = guarded({}, '/opt/launcher')
    expect(nodeProgram(undefined, host({ environment })).problem).toBeNull()
    expect(nodeProgram('/usr/bin/node', host({ execPath: '/opt/launcher', environment })).problem).toBeNull()
  })

  it('stops a Node that is named and starts the application', () => {
    expect(nodeProgram('/opt/launcher', host({ environment: guarded({}, '/opt/launcher') })).isCopy).toBe(
      true,
    )
  })

  it('stops a launcher that has another path each time', () => {
    let environment: NodeJS.ProcessEnv = {}
    let generations = 0
    for (; generations < 10; generations++) {
      const path = `/tmp/.mount_${generations}/app`
      if (nodeProgram(undefined, host({ execPath: path, environment })).problem !== null) break
      environment = guarded(environment, path)
    }
    expect(generations).toBe(3)
  })

  it('stops copies whose environment something cleans', () => {
    expect(nodeProgram(undefined, host({ copiesAbove: 2 })).problem).toBeNull()
    expect(nodeProgram(undefined, host({ copiesAbove: 3 })).isCopy).toBe(true)
  })

  it('is gone in a process that is ours', () => {
    const environment = guarded({ A: '1' }, '/usr/bin/node')
    takeOutGuard(environment)
    expect(environment).toEqual({ A: '1' })
  })

  it.each(['1', '{}', '[1]', '"/opt/launcher"', '["/opt/launcher"', ''])('is not read from %j', (value) => {
    expect(launcher({ WHISPER_HIP_CHILD: value }).problem).toBeNull()
  })
})

it('says which program is not Node, who names it, and what to do', () => {
  const problem = 'it ended with code 0 and did not answer'
  const own = nodeProgram(undefined, host({ execPath: '/opt/app' }))
  expect(notNode(own, problem)).toBe(`the program of this process, /opt/app, is not Node (${problem})`)
  const error = notNodeError(nodeProgram('/opt/x', host()), 'to run the model base in', problem)
  expect(error).toMatchObject({
    code: 'ERR_NODE_MISSING',
    reason: 'HOST_NOT_NODE',
    message: `There is no Node to run the model base in: nodePath names /opt/x, which is not Node (${problem})`,
    advice: expect.arrayContaining([expect.stringContaining('export WHISPER_HIP_NODE=$(command -v node)')]),
  })
})
