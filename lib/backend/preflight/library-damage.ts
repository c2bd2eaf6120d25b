import type { OpenFile } from './sysroot.ts'

/** Why the loader does not take a file. */
export interface Damage {
  /** Follows the path in a sentence, e.g. `is empty`. */
  problem: string
  /** Whether the loader gives up at the file instead of looking into the next folder. */
  stops: boolean
}

const MAGIC = 0x464c457f
const HEADER_BYTES = 64
const PROGRAM_BYTES = 56
const PT_LOAD = 1
const PT_DYNAMIC = 2
const SHARED_LIBRARY = 3
const MACHINE_NAMES: Readonly<Record<number, string>> = {
  3: 'x86',
  21: 'PowerPC',
  40: 'ARM',
  62: 'x86-64',
  183: 'AArch64',
  243: 'RISC-V',
  258: 'LoongArch',
}

/** The first bytes of gzip, zip, xz, zstd and bzip2. */
const ARCHIVES = ['1f8b', '504b0304', 'fd377a585a', '28b52ffd', '425a68']

/**
 * What is wrong with a file that should be a shared library. glibc's loader (`elf/dl-load.c`, `open_verify`) passes over a file
 * for another class or processor, and gives up at any other; parts of a library beyond the end of its file end the process with
 * SIGBUS when they are touched.
 * @param machine `e_machine` of this processor
 */
export function damageOf(file: OpenFile, machine: number | undefined): Damage | null {
  const stop = (problem: string): Damage => ({ problem, stops: true })
  const pass = (problem: string): Damage => ({ problem, stops: false })
  if (file.size === 0) return stop('is empty')
  const header = file.at(0, HEADER_BYTES)
  if (header.length === 0) return stop('cannot be read')
  if (header.length < 4 || header.readUInt32LE(0) !== MAGIC) return stop(`is ${contentOf(file.at(0, 512))}`)
  if (header.length < 20) return stop('ends too early')
  if (header.readUInt8(4) !== 2) return pass('is a 32-bit library')
  if (header.readUInt8(5) !== 1) return stop('is for a processor with another order of bytes')
  const other = header.readUInt16LE(18)
  if (other !== machine)
    return pass(`is for another processor (${MACHINE_NAMES[other] ?? `ELF machine ${other}`})`)
  if (header.length < HEADER_BYTES) return stop('ends too early')
  if (header.readUInt16LE(16) !== SHARED_LIBRARY)
    return stop(`is no shared library (ELF type ${header.readUInt16LE(16)})`)
  return partsBeyondEnd(file, header)
}

/** Segments are what the loader maps; the section table is the end of a file as linkers write it. */
function partsBeyondEnd(file: OpenFile, header: Buffer): Damage | null {
  const damaged = (problem: string): Damage => ({ problem, stops: true })
  const programs = Number(header.readBigUInt64LE(32))
  const count = header.readUInt16LE(56)
  if (header.readUInt16LE(54) !== PROGRAM_BYTES || count === 0) return damaged('is damaged at its beginning')
  const table = file.at(programs, count * PROGRAM_BYTES)
  if (table.length < count * PROGRAM_BYTES) return damaged('ends too early')
  const types = new Set<number>()
  let end = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60)
  for (let at = 0; at < table.length; at += PROGRAM_BYTES) {
    types.add(table.readUInt32LE(at))
    end = Math.max(end, Number(table.readBigUInt64LE(at + 8)) + Number(table.readBigUInt64LE(at + 32)))
  }
  if (!types.has(PT_LOAD) || !types.has(PT_DYNAMIC)) return damaged('is damaged at its beginning')
  return end > file.size ? damaged(`ends too early (${file.size} of at least ${end} bytes)`) : null
}

/** What a file is that does not begin as an ELF file does. */
function contentOf(start: Buffer): string {
  const text = start.toString('latin1')
  if (text.startsWith('version https://git-lfs')) return 'a pointer of Git LFS, not the library itself'
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) return 'a web page, not a library'
  if (/\b(GROUP|INPUT|OUTPUT_FORMAT)\s*\(/.test(text)) return 'a text for the linker, not a library'
  if (text.startsWith('!<arch>')) return 'a static library'
  if (ARCHIVES.some((magic) => start.toString('hex').startsWith(magic))) return 'an archive, not a library'
  if (start.every((byte) => byte === 0)) return 'full of zeros'
  const isText = start.every((byte) => byte >= 32 || (byte >= 9 && byte <= 13))
  return isText ? 'a text, not a library' : 'not a library'
}
