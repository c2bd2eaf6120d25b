import type { Pacer } from '../../pacer.ts'
import { BlockReader } from '../block-reader.ts'
import { corrupt, quote, unsupported } from '../failures.ts'
import type { ByteSource } from '../source.ts'

/** Types of variables; the position is the number in the file since binary version 4. */
const TYPES = [
  { name: 'f32', bytes: 4 },
  { name: 'i8', bytes: 1 },
  { name: 'i16', bytes: 2 },
  { name: 'i32', bytes: 4 },
  { name: 'f16', bytes: 2 },
  { name: 'bf16', bytes: 2 },
] as const
export type VariableType = (typeof TYPES)[number]['name']

/** A variable of a CTranslate2 model: where its data lies, or its value when it is a scalar. */
export interface Variable {
  readonly name: string
  /** C order, slowest dimension first. Empty for a scalar. */
  readonly shape: readonly number[]
  readonly type: VariableType
  /** Of the data in the source. */
  readonly offset: number
  /** Of an integer scalar. */
  readonly value?: number
}

export interface Container {
  readonly binaryVersion: number
  readonly revision: number
  /** By name; an alias has the entry of its variable. */
  readonly variables: ReadonlyMap<string, Variable>
}

const SPEC = 'WhisperSpec'
const REVISION = 3
/** Versions below 10 that this reader does not know are taken for real ones, all others for damage. */
const LAST_IMAGINABLE = 9
const MAX_VARIABLES = 4096
const MAX_NAME = 256
const MAX_RANK = 4

/**
 * Reads the table of contents of CTranslate2's `model.bin`, binary versions 3 to 6. Variables lie between the entries
 * of the table, so that the whole file is walked through, but no weight is read.
 *
 * @throws WhisperHipError `ERR_MODEL_CORRUPT` or `ERR_MODEL_UNSUPPORTED`
 */
export async function readContainer(source: ByteSource, pacer: Pacer): Promise<Container> {
  const reader = new BlockReader(source, pacer)
  await reader.ensure(4, 'the header')
  const binaryVersion = requireVersion(source.name, 'binary version', reader.u32(), 3, 6)
  const spec = await readName(reader, 'the header')
  if (spec !== SPEC) throw corrupt(source.name, `it holds a ${quote(spec)}, where ${SPEC} is needed`)
  await reader.ensure(8, 'the header')
  const revision = requireVersion(source.name, 'revision', reader.u32(), REVISION, REVISION)
  const count = requireCount(source.name, 'variables', reader.u32())

  const variables = new Map<string, Variable>()
  const add = (name: string, variable: Variable) => {
    if (variables.has(name)) throw corrupt(source.name, `variable ${quote(name)} is there twice`)
    variables.set(name, variable)
  }
  for (let i = 0; i < count; i++) {
    const variable = await readVariable(reader, binaryVersion)
    add(variable.name, variable)
  }

  await reader.ensure(4, 'the table of aliases')
  const aliases = requireCount(source.name, 'aliases', reader.u32())
  for (let i = 0; i < aliases; i++) {
    const alias = await readName(reader, 'the table of aliases')
    const target = await readName(reader, 'the table of aliases')
    const variable = variables.get(target)
    if (!variable)
      throw corrupt(source.name, `${quote(alias)} is an alias of ${quote(target)}, which does not exist`)
    add(alias, variable)
  }
  if (reader.remaining > 0)
    throw corrupt(source.name, `${reader.remaining} bytes follow the end of the model`)
  return { binaryVersion, revision, variables }
}

function requireVersion(name: string, what: string, found: number, first: number, last: number): number {
  if (found >= first && found <= last) return found
  const supported = first === last ? `${first} is supported` : `${first} to ${last} are supported`
  const problem = `its ${what} is ${found}, where ${supported}`
  if (found < 1 || found > LAST_IMAGINABLE) throw corrupt(name, problem)
  throw unsupported(name, problem, ['Convert the checkpoint again with CTranslate2 3 or 4'])
}

function requireCount(name: string, what: string, count: number): number {
  if (count <= MAX_VARIABLES) return count
  throw corrupt(name, `it announces ${count} ${what}, where ${MAX_VARIABLES} are possible`)
}

/** A string: u16 length that counts the closing NUL, then the bytes. */
async function readName(reader: BlockReader, what: string): Promise<string> {
  const at = reader.position
  await reader.ensure(2, what)
  const length = reader.u16()
  if (length < 2 || length > MAX_NAME)
    throw corrupt(reader.source.name, `at byte ${at} is no name in ${what}`)
  await reader.ensure(length, what)
  const text = reader.text(length)
  if (!/^[\x21-\x7e]+\0$/.test(text)) throw corrupt(reader.source.name, `at byte ${at} is no name in ${what}`)
  return text.slice(0, -1)
}

async function readVariable(reader: BlockReader, binaryVersion: number): Promise<Variable> {
  const file = reader.source.name
  const name = await readName(reader, 'the header of a variable')
  const what = `the header of variable ${name}`
  await reader.ensure(1, what)
  const rank = reader.u8()
  if (rank > MAX_RANK) throw corrupt(file, `variable ${name} has ${rank} dimensions`)
  await reader.ensure(4 * rank + 5, what)
  const shape = Array.from({ length: rank }, () => reader.u32())
  const { type, bytes } = readStorage(reader, binaryVersion, name)
  const elements = shape.reduce((product, size) => product * size, 1)
  const size = TYPES.find((entry) => entry.name === type)?.bytes ?? 0
  if (elements * size !== bytes) {
    throw corrupt(
      file,
      `variable ${name} has ${bytes} bytes, where its shape [${shape}] and type ${type} need ${elements * size}`,
    )
  }
  const offset = reader.position
  if (rank > 0) {
    reader.skip(bytes, `the data of variable ${name}`)
    return { name, shape, type, offset }
  }
  await reader.ensure(bytes, `the data of variable ${name}`)
  const value = readScalar(reader, type)
  return value === undefined ? { name, shape, type, offset } : { name, shape, type, offset, value }
}

/** Since version 4 the type is named; before, it follows from the size of an item, and the count is in items. */
function readStorage(
  reader: BlockReader,
  binaryVersion: number,
  name: string,
): { type: VariableType; bytes: number } {
  const code = reader.u8()
  const length = reader.u32()
  if (binaryVersion >= 4) {
    const entry = TYPES[code]
    if (!entry) throw corrupt(reader.source.name, `variable ${name} has type ${code}, which does not exist`)
    return { type: entry.name, bytes: length }
  }
  const type = ({ 1: 'i8', 2: 'i16', 4: 'f32' } as const)[code]
  if (!type) throw corrupt(reader.source.name, `variable ${name} has items of ${code} bytes`)
  return { type, bytes: length * code }
}

function readScalar(reader: BlockReader, type: VariableType): number | undefined {
  if (type === 'i8') return (reader.u8() << 24) >> 24
  if (type === 'i16') return reader.i16()
  if (type === 'i32') return reader.i32()
  reader.advance(type === 'f32' ? 4 : 2)
  return undefined
}
