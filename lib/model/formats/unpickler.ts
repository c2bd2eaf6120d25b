import { types } from 'node:util'
import type { Pacer } from '../../pacer.ts'
import { corrupt, quote, unsupported } from '../failures.ts'

/** Bounds of what a pickle may make; Whisper's largest model needs 60,000 operations and 10,000 containers. */
const MAX_OPERATIONS = 1 << 19
const MAX_CONTAINERS = 1 << 16
const MAX_STACK = 1 << 16
const MAX_MEMO = 1 << 17

/** A Python class or function, known by its name alone: `torch._utils._rebuild_tensor_v2`. */
export class Global {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** An object of which nothing is kept. */
export class Opaque {}

/** A Python list. Tuples are arrays, dictionaries are maps. */
class List {
  readonly items: unknown[] = []
}

/** What a pickle may ask for. */
export interface Meaning {
  /** Names that may occur; all others are refused. */
  globals: ReadonlySet<string>
  /** Stands for a call of a Python function or class; gives an {@link Opaque} for what does not matter. */
  call(name: string, args: readonly unknown[]): unknown
  /** Stands for an object that is stored outside of the pickle. */
  load(id: unknown): unknown
}

const MARK = Symbol('mark')

/**
 * Reads a pickle (protocol 2 to 5) as data. Nothing of Python is executed: the few names that checkpoints need are handed to `meaning`, any
 * other one is refused by name, and so is each operation that could make other objects.
 *
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`, or `ERR_MODEL_UNSUPPORTED` for other names and operations
 */
export async function unpickle(
  bytes: Uint8Array,
  file: string,
  meaning: Meaning,
  pacer: Pacer,
): Promise<unknown> {
  const machine = new Machine(bytes, file, meaning)
  for (let operations = 0; machine.step(); operations++) {
    if (operations === MAX_OPERATIONS)
      throw corrupt(file, `its pickle has more than ${MAX_OPERATIONS} operations`)
    if ((operations & 0xff) === 0 && pacer.due) await pacer.turn()
  }
  return machine.result()
}

class Machine {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #file: string
  readonly #meaning: Meaning
  readonly #stack: unknown[] = []
  readonly #memo = new Map<number, unknown>()
  #at = 0
  #containers = 0

  constructor(bytes: Uint8Array, file: string, meaning: Meaning) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#file = file
    this.#meaning = meaning
  }

  /** @returns `false` at the end of the pickle */
  step(): boolean {
    const operation = this.#u8()
    switch (operation) {
      case 0x2e: // STOP
        return false
      case 0x80: // PROTO
        this.#requireProtocol(this.#u8())
        break
      case 0x95: // FRAME: only a hint for reading ahead
        this.#take(8)
        break
      case 0x28: // MARK
        this.#push(MARK)
        break
      case 0x4e: // NONE
        this.#push(null)
        break
      case 0x88: // NEWTRUE
        this.#push(true)
        break
      case 0x89: // NEWFALSE
        this.#push(false)
        break
      case 0x4b: // BININT1
        this.#push(this.#u8())
        break
      case 0x4d: // BININT2
        this.#push(this.#view.getUint16(this.#take(2), true))
        break
      case 0x4a: // BININT
        this.#push(this.#view.getInt32(this.#take(4), true))
        break
      case 0x8a: // LONG1
        this.#push(this.#long(this.#u8()))
        break
      case 0x47: // BINFLOAT
        this.#push(this.#view.getFloat64(this.#take(8), false))
        break
      case 0x8c: // SHORT_BINUNICODE
        this.#push(this.#text(this.#u8()))
        break
      case 0x58: // BINUNICODE
        this.#push(this.#text(this.#u32()))
        break
      case 0x43: // SHORT_BINBYTES
        this.#pushOpaque(this.#u8())
        break
      case 0x42: // BINBYTES
        this.#pushOpaque(this.#u32())
        break
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        this.#pushOpaque(this.#u64())
        break
      case 0x8f: // EMPTY_SET
        this.#pushOpaque(0)
        break
      case 0x90: // ADDITEMS
        this.#popToMark()
        if (!(this.#top() instanceof Opaque)) throw this.#fail('adds to something else than a set')
        break
      case 0x91: // FROZENSET
        this.#popToMark()
        this.#pushOpaque(0)
        break
      case 0x7d: // EMPTY_DICT
        this.#push(this.#counted(new Map()))
        break
      case 0x5d: // EMPTY_LIST
        this.#push(this.#counted(new List()))
        break
      case 0x29: // EMPTY_TUPLE
        this.#push(this.#counted([]))
        break
      case 0x74: // TUPLE
        this.#push(this.#counted(this.#popToMark()))
        break
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        this.#push(this.#counted(this.#popSome(operation - 0x84)))
        break
      case 0x61: // APPEND
        this.#append(this.#popSome(1))
        break
      case 0x65: // APPENDS
        this.#append(this.#popToMark())
        break
      case 0x73: // SETITEM
        this.#setItems(this.#popSome(2))
        break
      case 0x75: // SETITEMS
        this.#setItems(this.#popToMark())
        break
      case 0x71: // BINPUT
        this.#remember(this.#u8())
        break
      case 0x72: // LONG_BINPUT
        this.#remember(this.#u32())
        break
      case 0x94: // MEMOIZE
        this.#remember(this.#memo.size)
        break
      case 0x68: // BINGET
        this.#recall(this.#u8())
        break
      case 0x6a: // LONG_BINGET
        this.#recall(this.#u32())
        break
      case 0x63: // GLOBAL
        this.#global(this.#line(), this.#line())
        break
      case 0x93: // STACK_GLOBAL
        this.#global(...(this.#popSome(2) as [unknown, unknown]))
        break
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        this.#reduce(...(this.#popSome(2) as [unknown, unknown]))
        break
      case 0x51: // BINPERSID
        this.#push(this.#meaning.load(this.#pop()))
        break
      case 0x62: // BUILD
        this.#build(this.#pop())
        break
      default:
        throw unsupported(
          this.#file,
          `its pickle has the operation 0x${operation.toString(16).padStart(2, '0')} at byte ${this.#at - 1}, which no checkpoint needs`,
          ['Save only the weights: torch.save(model.state_dict(), file)'],
        )
    }
    return true
  }

  result(): unknown {
    if (this.#at !== this.#bytes.byteLength) throw this.#fail('is followed by something')
    const value = this.#pop()
    if (this.#stack.length > 0) throw this.#fail('leaves something over')
    return value
  }

  #requireProtocol(protocol: number): void {
    if (protocol < 2 || protocol > 5)
      throw unsupported(this.#file, `its pickle has protocol ${protocol}, where 2 to 5 are supported`)
  }

  #push(value: unknown): void {
    if (this.#stack.length === MAX_STACK) throw this.#fail('is nested too deeply')
    this.#stack.push(value)
  }

  /** What does not matter, and its bytes in the pickle. */
  #pushOpaque(bytes: number): void {
    this.#take(bytes)
    this.#push(this.#counted(new Opaque()))
  }

  #pop(): unknown {
    const value = this.#stack.pop()
    if (value === undefined || value === MARK) throw this.#fail('takes more than there is')
    return value
  }

  #popSome(count: number): unknown[] {
    const values = Array.from({ length: count }, () => this.#pop())
    return values.reverse()
  }

  #popToMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK)
    if (mark < 0) throw this.#fail('takes more than there is')
    const values = this.#stack.splice(mark)
    values.shift()
    return values
  }

  #top(): unknown {
    const value = this.#stack.at(-1)
    if (value === undefined || value === MARK) throw this.#fail('takes more than there is')
    return value
  }

  #counted<T>(container: T): T {
    if (++this.#containers > MAX_CONTAINERS) throw this.#fail('makes too many objects')
    return container
  }

  #append(values: readonly unknown[]): void {
    const list = this.#top()
    if (!(list instanceof List)) throw this.#fail('appends to something else than a list')
    for (const value of values) list.items.push(value)
  }

  /** Keys that are objects, such as tuples, are kept apart and cannot be asked for. */
  #setItems(pairs: readonly unknown[]): void {
    const dictionary = this.#top()
    if (!types.isMap(dictionary) || pairs.length % 2 !== 0)
      throw this.#fail('sets items of something else than a dictionary')
    for (let i = 0; i < pairs.length; i += 2) {
      const key = typeof pairs[i] === 'object' ? Symbol() : pairs[i]
      if (dictionary.has(key)) throw this.#fail(`has the key ${quote(String(key))} twice`)
      dictionary.set(key, pairs[i + 1])
    }
  }

  #remember(index: number): void {
    if (this.#memo.size === MAX_MEMO) throw this.#fail('remembers too many objects')
    this.#memo.set(index, this.#top())
  }

  #recall(index: number): void {
    const value = this.#memo.get(index)
    if (value === undefined) throw this.#fail(`recalls an object ${index} that it did not remember`)
    this.#push(value)
  }

  #global(module: unknown, attribute: unknown): void {
    if (typeof module !== 'string' || typeof attribute !== 'string')
      throw this.#fail('names something by what is no text')
    const name = `${module}.${attribute}`
    if (!this.#meaning.globals.has(name)) {
      throw unsupported(this.#file, `its pickle asks for ${quote(name)}, and only tensors are read`, [
        'Save only the weights: torch.save(model.state_dict(), file), or use safetensors',
      ])
    }
    this.#push(new Global(name))
  }

  #reduce(callable: unknown, args: unknown): void {
    if (!(callable instanceof Global) || !Array.isArray(args))
      throw this.#fail('calls something that is no function')
    this.#push(this.#counted(this.#meaning.call(callable.name, args)))
  }

  /** Attributes of a dictionary (`_metadata` of a state dictionary) say nothing of the weights. */
  #build(state: unknown): void {
    if (this.#top() instanceof Opaque) return
    if (!types.isMap(this.#top()) || !types.isMap(state))
      throw this.#fail('sets attributes of something else than a dictionary')
  }

  /** A number that is not safe stays a bigint: no size is that large. */
  #long(length: number): number | bigint {
    const at = this.#take(length)
    let value = 0n
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[at + i] as number)
    const signed = BigInt.asIntN(8 * length, value)
    const number = Number(signed)
    return Number.isSafeInteger(number) ? number : signed
  }

  #text(length: number): string {
    const at = this.#take(length)
    return Buffer.from(this.#bytes.subarray(at, at + length)).toString('utf8')
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0 || end - this.#at > 200) throw this.#fail('has a name without an end')
    const text = this.#text(end - this.#at)
    this.#at++
    return text
  }

  #u8(): number {
    return this.#bytes[this.#take(1)] as number
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  /** Inexact above 2^53, where the pickle has ended anyway. */
  #u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true))
  }

  #take(length: number): number {
    const at = this.#at
    if (length > this.#bytes.byteLength - at) throw this.#fail('ends too early')
    this.#at += length
    return at
  }

  /** `what` completes the sentence "its pickle …". */
  #fail(what: string) {
    return corrupt(this.#file, `at byte ${this.#at}, its pickle ${what}`)
  }
}
