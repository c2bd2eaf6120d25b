import { isErrorNamed } from '../../kinds.ts'
import type { OpenFile } from './sysroot.ts'

/** What the dynamic loader reads of a shared library (System V ABI, "Object Files" and "Dynamic Linking"). */
export interface ElfFile {
  /** `e_machine`: 62 for x86-64, 183 for AArch64. */
  machine: number
  needed: readonly string[]
  /** Folders of DT_RPATH and DT_RUNPATH as they are written, e.g. `$ORIGIN`. */
  rpath: readonly string[]
  runpath: readonly string[]
}

/** A part of a file. */
export interface Section {
  type: number
  offset: number
  size: number
  /** Index of the section that this one refers to. */
  link: number
}

/** Names of the symbols that a library takes from others, and of those that it offers. */
export interface SymbolNames {
  /** Weak ones left out: the loader does without them. */
  undefined: string[]
  defined: Set<string>
}

const MAGIC = 0x464c457f
const HEADER_BYTES = 64
const SYMBOL_BYTES = 24
const MOST_ENTRIES = 4096
const MOST_SYMBOLS = 200_000
const LONGEST_STRING = 4096

const PT_LOAD = 1
const PT_DYNAMIC = 2
const SHT_DYNSYM = 11
const DT = { NEEDED: 1, STRTAB: 5, RPATH: 15, RUNPATH: 29 }

/** Whether a file begins as an ELF file does. */
export function isElf(file: OpenFile): boolean {
  const start = file.at(0, 4)
  return start.length === 4 && start.readUInt32LE(0) === MAGIC
}

/** @returns null when it is not a whole 64-bit little-endian ELF file */
export function readElf(file: OpenFile): ElfFile | null {
  return orNull(() => {
    const header = readHeader(file)
    const dynamic = header.programs.find(({ type }) => type === PT_DYNAMIC)
    const entries = dynamic === undefined ? [] : readDynamic(file, dynamic)
    const strings = entries.find(({ tag }) => tag === DT.STRTAB)?.value
    const values = (wanted: number) =>
      entries
        .filter(({ tag }) => tag === wanted)
        .map(({ value }) => readString(file, header.toOffset(strings ?? -1) + value))
    const folders = (tag: number) => values(tag).flatMap((list) => list.split(':').filter(Boolean))
    return {
      machine: header.machine,
      needed: values(DT.NEEDED),
      rpath: folders(DT.RPATH),
      runpath: folders(DT.RUNPATH),
    }
  })
}

/** A section by its name, or null. */
export function findSection(file: OpenFile, name: string): Section | null {
  return orNull(() => {
    const { sections, names } = readHeader(file)
    const table = sections[names]
    if (table === undefined) return null
    return sections.find((section) => readString(file, table.offset + section.name) === name) ?? null
  })
}

/** @returns null when the file does not tell its symbols */
export function readSymbols(file: OpenFile): SymbolNames | null {
  return orNull(() => {
    const { sections } = readHeader(file)
    const table = sections.find(({ type }) => type === SHT_DYNSYM)
    const strings = sections[table?.link ?? -1]
    if (table === undefined || strings === undefined || table.size > MOST_SYMBOLS * SYMBOL_BYTES) return null
    const text = file.at(strings.offset, Math.min(strings.size, MOST_SYMBOLS * 64))
    const symbols = file.at(table.offset, table.size)
    const names: SymbolNames = { undefined: [], defined: new Set() }
    for (let at = SYMBOL_BYTES; at + SYMBOL_BYTES <= symbols.length; at += SYMBOL_BYTES) {
      const start = symbols.readUInt32LE(at)
      const name = text.toString('latin1', start, text.indexOf(0, start))
      const isWeak = symbols.readUInt8(at + 4) >> 4 === 2
      if (symbols.readUInt16LE(at + 6) !== 0) names.defined.add(name)
      else if (!isWeak) names.undefined.push(name)
    }
    return names
  })
}

/** A file that ends too early or holds impossible numbers is none. */
function orNull<T>(read: () => T | null): T | null {
  try {
    return read()
  } catch (error) {
    if (isErrorNamed(error, 'RangeError')) return null
    throw error
  }
}

interface Header {
  machine: number
  programs: { type: number; offset: number; address: number; size: number }[]
  sections: (Section & { name: number })[]
  /** Index of the section that holds the names of sections. */
  names: number
  /** Place in the file of an address in memory. */
  toOffset(address: number): number
}

/** @throws RangeError when the file ends too early or has numbers that are out of range */
function readHeader(file: OpenFile): Header {
  const bytes = file.at(0, HEADER_BYTES)
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) throw new RangeError('no ELF header')
  if (bytes.readUInt8(4) !== 2 || bytes.readUInt8(5) !== 1) throw new RangeError('not 64-bit little-endian')
  const programs = entriesOf(file, long(bytes, 32), bytes.readUInt16LE(54), bytes.readUInt16LE(56)).map(
    (entry) => ({
      type: entry.readUInt32LE(0),
      offset: long(entry, 8),
      address: long(entry, 16),
      size: long(entry, 32),
    }),
  )
  const sections = entriesOf(file, long(bytes, 40), bytes.readUInt16LE(58), bytes.readUInt16LE(60)).map(
    (entry) => ({
      name: entry.readUInt32LE(0),
      type: entry.readUInt32LE(4),
      offset: long(entry, 24),
      size: long(entry, 32),
      link: entry.readUInt32LE(40),
    }),
  )
  return {
    machine: bytes.readUInt16LE(18),
    programs,
    sections,
    names: bytes.readUInt16LE(62),
    toOffset(address) {
      const load = programs.find(
        ({ type, address: start, size }) => type === PT_LOAD && address >= start && address < start + size,
      )
      if (load === undefined) throw new RangeError('address outside of the file')
      return address - load.address + load.offset
    },
  }
}

function entriesOf(file: OpenFile, offset: number, entryBytes: number, count: number): Buffer[] {
  if (count === 0) return []
  if (count > MOST_ENTRIES || entryBytes < 56 || entryBytes > 256) throw new RangeError('impossible table')
  const bytes = file.at(offset, count * entryBytes)
  if (bytes.length < count * entryBytes) throw new RangeError('table beyond the end')
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * entryBytes, (index + 1) * entryBytes),
  )
}

function readDynamic(file: OpenFile, { offset, size }: { offset: number; size: number }) {
  const bytes = file.at(offset, Math.min(size, MOST_ENTRIES * 16))
  const entries: { tag: number; value: number }[] = []
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    const tag = Number(bytes.readBigInt64LE(at))
    if (tag === 0) break
    // Most values are not used; some of those are no numbers at all.
    entries.push({ tag, value: Number(bytes.readBigUInt64LE(at + 8)) })
  }
  return entries
}

function readString(file: OpenFile, offset: number): string {
  const bytes = file.at(place(offset), LONGEST_STRING)
  const end = bytes.indexOf(0)
  if (end < 0) throw new RangeError('endless string')
  return bytes.toString('utf8', 0, end)
}

function long(bytes: Buffer, at: number): number {
  return place(Number(bytes.readBigUInt64LE(at)))
}

function place(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('number out of range')
  return value
}
