import { describe, expect, it } from 'vitest'
import {
  checkArray,
  checkBoolean,
  checkEnum,
  checkFunction,
  checkInteger,
  checkNumber,
  checkOptions,
  checkSignal,
  checkString,
  describeValue,
} from '../../../lib/check.ts'
import { WhisperHipError } from '../../../lib/errors.ts'

function refusal(run: () => unknown): WhisperHipError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(WhisperHipError)
    expect((error as WhisperHipError).code).toBe('ERR_INVALID_ARGUMENT')
    return error as WhisperHipError
  }
  throw new Error('nothing was thrown')
}

describe('the message', () => {
  it('names what was expected, for what, and what came', () => {
    expect(refusal(() => checkInteger(12, 'beamSize', 1, 8)).message).toBe(
      'Expected an integer from 1 to 8 for beamSize but received 12 of type number',
    )
  })

  it.each([
    [undefined, 'undefined of type undefined'],
    [null, 'null of type object'],
    [Number.NaN, 'NaN of type number'],
    [10n, '10n of type bigint'],
    ['a\nb', '"a\\nb" of type string'],
    [[1, 2], 'an array of 2 of type object'],
    [{}, 'an object of type object'],
    [Object.create(null), 'an object of type object'],
    [new Date(0), 'an instance of Date of type object'],
    [new Float32Array(3), 'Float32Array(3) of type object'],
    [() => 1, 'a function of type function'],
    [Symbol('s'), 'Symbol(s) of type symbol'],
  ])('renders %s', (value, text) => {
    expect(describeValue(value)).toBe(text)
  })

  it('cuts a long string', () => {
    expect(describeValue('x'.repeat(1_000_000)).length).toBeLessThan(100)
  })

  it('runs no code of the value', () => {
    const hostile = new Proxy(
      {},
      { get: () => expect.unreachable(), getPrototypeOf: () => expect.unreachable() },
    )
    expect(describeValue(hostile)).toBe('a proxy of type object')
    class Trap {
      static get name() {
        return expect.unreachable()
      }
      toString() {
        return expect.unreachable()
      }
    }
    expect(describeValue(new Trap())).toBe('an object of type object')
  })
})

describe('numbers', () => {
  it('accepts the bounds', () => {
    expect(checkInteger(1, 'n', 1, 8)).toBe(1)
    expect(checkInteger(8, 'n', 1, 8)).toBe(8)
    expect(checkNumber(0, 'n', 0, 1)).toBe(0)
    expect(checkNumber(Number.NEGATIVE_INFINITY, 'n', Number.NEGATIVE_INFINITY, 0)).toBe(-Infinity)
  })

  it.each([0, 9, 1.5, '3', Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, null, new Number(3)])(
    'refuses %s as an integer',
    (value) => {
      refusal(() => checkInteger(value, 'n', 1, 8))
    },
  )

  it.each([-0.1, 1.1, '0.5', Number.NaN, Number.POSITIVE_INFINITY, [0.5]])(
    'refuses %s as a number',
    (value) => {
      refusal(() => checkNumber(value, 'n', 0, 1))
    },
  )

  it('says only the bounds that there are', () => {
    expect(refusal(() => checkNumber('', 'n', 0)).message).toContain('a number of at least 0 for')
    expect(refusal(() => checkNumber('', 'n', -Infinity, 0)).message).toContain('a number of at most 0 for')
    expect(refusal(() => checkInteger('', 'n')).message).toContain('an integer for')
  })
})

describe('other types', () => {
  it('checks booleans, strings, arrays, functions', () => {
    expect(checkBoolean(false, 'b')).toBe(false)
    refusal(() => checkBoolean(0, 'b'))
    expect(checkString('', 's')).toBe('')
    refusal(() => checkString('', 's', 1))
    refusal(() => checkString('abc', 's', 0, 2))
    refusal(() => checkString(new String('a'), 's'))
    expect(checkArray([1], 'a')).toEqual([1])
    refusal(() => checkArray([], 'a', 1))
    refusal(() => checkArray({ length: 1 }, 'a'))
    expect(checkFunction(refusal, 'f')).toBe(refusal)
    refusal(() => checkFunction({}, 'f'))
  })

  it('refuses a NUL character, which would end a string early', () => {
    expect(refusal(() => checkString('a\0b', 's')).message).toContain('without NUL')
  })

  it('names the nearest choice of an enumeration', () => {
    expect(checkEnum('none', 'timestamps', ['segment', 'none'])).toBe('none')
    expect(refusal(() => checkEnum('segmnet', 'timestamps', ['segment', 'none'])).message).toBe(
      'Expected "segment" or "none" for timestamps but received "segmnet" of type string; did you mean segment?',
    )
  })

  it('knows an AbortSignal by its members', () => {
    const { signal } = new AbortController()
    expect(checkSignal(signal, 'signal')).toBe(signal)
    const polyfill = { aborted: true, reason: 'enough', addEventListener() {}, removeEventListener() {} }
    expect(checkSignal(polyfill, 'signal')).toMatchObject({ aborted: true, reason: 'enough' })
    refusal(() => checkSignal(new AbortController(), 'signal'))
    refusal(() => checkSignal(null, 'signal'))
  })
})

describe('options', () => {
  const check = (options: unknown) => checkOptions(options, ['beamSize', 'task'], 'transcribe()')

  it('takes undefined for absent', () => {
    expect(check(undefined)).toEqual({})
    expect(check({ task: 'x', beamSize: undefined, whatever: undefined })).toEqual({
      task: 'x',
    })
  })

  it('names the nearest of an unknown option', () => {
    expect(refusal(() => check({ beemSize: 5 })).message).toBe(
      'Unknown option "beemSize" of transcribe(); did you mean beamSize?',
    )
    expect(refusal(() => check({ quux: 5 })).message).toBe('Unknown option "quux" of transcribe()')
  })

  it.each([null, 'x', 5, [], () => {}])('refuses %s in place of an object', (options) => {
    expect(refusal(() => check(options)).message).toContain('an object for the options of transcribe()')
  })

  it('reads each option once and keeps out of prototypes', () => {
    let reads = 0
    const options = {
      get task() {
        return reads++
      },
    }
    const snapshot = check(options)
    expect([snapshot.task, snapshot.task, reads]).toEqual([0, 0, 1])
    expect(refusal(() => check(JSON.parse('{"__proto__": {"task": 1}}'))).message).toContain('"__proto__"')
    expect(Object.getPrototypeOf(snapshot)).toBeNull()
  })
})
