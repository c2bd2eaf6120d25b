import { availableParallelism } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isBusy } from '../../../../lib/backend/probe/busy.ts'
import { MadeMachine } from '../../../fixtures/sysroot.ts'

let machine: MadeMachine
beforeEach(() => {
  machine = new MadeMachine()
})
afterEach(() => machine.dispose())

const pressure = (avg60: number) =>
  `some avg10=0.00 avg60=${avg60.toFixed(2)} avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n`

describe('isBusy', () => {
  it.each(['cpu', 'io', 'memory'])('when programs wait for %s', (what) => {
    for (const other of ['cpu', 'io', 'memory']) machine.file(`/proc/pressure/${other}`, pressure(2))
    expect(isBusy(machine.folder)).toBe(false)
    machine.file(`/proc/pressure/${what}`, pressure(60))
    expect(isBusy(machine.folder)).toBe(true)
  })

  it('when more programs want to run than there are processors, where the kernel does not tell pressure', () => {
    machine.file('/proc/loadavg', '0.50 9.00 9.00 1/100 4242\n')
    expect(isBusy(machine.folder)).toBe(false)
    machine.file('/proc/loadavg', `${3 * availableParallelism()}.00 0.50 0.50 1/100 4242\n`)
    expect(isBusy(machine.folder)).toBe(true)
  })

  it('is not what cannot be read', () => {
    expect(isBusy(machine.folder)).toBe(false)
    machine.file('/proc/pressure/cpu', 'nonsense').file('/proc/loadavg', '')
    expect(isBusy(machine.folder)).toBe(false)
  })
})
