import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  floorFlags,
  glibcFloor,
  isNewer,
  readSymbols,
  stubSources,
  symbolsAtFloor,
} from '../../../scripts/support/glibc-floor.mjs'

const LISTING = `
   Num:    Value          Size Type    Bind   Vis      Ndx Name
     1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND __tls_get_addr@GLIBC_2.3 (2)
   177: 0000000000109530    76 FUNC    GLOBAL DEFAULT   16 exp@@GLIBC_2.29
   178: 0000000000109530    76 FUNC    GLOBAL DEFAULT   16 exp@GLIBC_2.2.5
   179: 0000000000109530    76 FUNC    GLOBAL DEFAULT   16 pthread_create@@GLIBC_2.34
   180: 0000000000109530    76 FUNC    GLOBAL DEFAULT   16 pthread_create@GLIBC_2.2.5
   181: 0000000000109530    76 FUNC    GLOBAL DEFAULT   16 pthread_mutex_lock@@GLIBC_2.2.5
   182: 0000000000109530    76 FUNC    WEAK   DEFAULT   16 memcpy@@GLIBC_2.14
   183: 0000000000109530    76 IFUNC   GLOBAL DEFAULT   16 memcpy@GLIBC_2.2.5
   184: 0000000000109530     8 OBJECT  GLOBAL DEFAULT   16 stdout@@GLIBC_2.2.5
   185: 0000000000109530    76 FUNC    GLOBAL DEFAULT   16 arc4random@@GLIBC_2.36
   186: 0000000000109530    76 FUNC    GLOBAL DEFAULT   16 __secret@@GLIBC_PRIVATE
`

describe('what an old glibc had', () => {
  it('is the newest version of a name that is not too new, in the library of then', () => {
    const at = symbolsAtFloor('libc.so.6', readSymbols(LISTING), '2.28')
    const names = (library: string) => at.get(library)?.map(({ name, version }) => `${name} ${version}`)
    expect(names('libpthread.so.0')).toEqual(['pthread_create 2.2.5'])
    expect(names('libc.so.6')).toEqual([
      'exp 2.2.5',
      'pthread_mutex_lock 2.2.5',
      'memcpy 2.14',
      'stdout 2.2.5',
    ])
  })

  it('becomes sources with each version in the order of releases', () => {
    const { assembly, script } = stubSources(readSymbols(LISTING).filter(({ version }) => version < '2.29'))
    expect(script).toBe('GLIBC_2.2.5 { };\nGLIBC_2.14 { };\n')
    expect(assembly).toContain(', %object')
  })

  it('orders releases by numbers', () => {
    expect(isNewer('2.29', '2.28')).toBe(true)
    expect(isNewer('2.3.2', '2.28')).toBe(false)
    expect(isNewer('2.28', '2.28')).toBe(false)
  })
})

describe('a program that is linked with an old glibc', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'floor '))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('runs its constructors and destructors, waits, reads files and catches, and needs nothing newer', async () => {
    const library = await glibcFloor({ cache: join(folder, 'cache') })
    expect(await glibcFloor({ cache: join(folder, 'cache') })).toBe(library)
    const source = `
      #include <chrono>
      #include <cmath>
      #include <condition_variable>
      #include <cstdio>
      #include <cstdlib>
      #include <dlfcn.h>
      #include <filesystem>
      #include <mutex>
      #include <random>
      #include <stdexcept>
      #include <thread>
      struct Told { Told() { std::puts("begun"); } ~Told() { std::puts("ended"); } } told;
      int main(int count, char** arguments) {
        std::mutex mutex;
        std::condition_variable condition;
        std::unique_lock lock(mutex);
        const auto from = std::chrono::steady_clock::now();
        const bool passed = condition.wait_for(lock, std::chrono::milliseconds(30)) == std::cv_status::timeout;
        const auto waited = std::chrono::steady_clock::now() - from;
        if (!passed || waited < std::chrono::milliseconds(30) || waited > std::chrono::seconds(10)) return 2;
        std::thread([&] { std::printf("%.3f\\n", std::exp(double(count)) + std::log(2.0 * count) + std::pow(count, 2.5)); }).join();
        if (!std::filesystem::is_directory("/") || std::filesystem::file_size(arguments[0]) == 0) return 3;
        if (std::random_device{}() == 0 && std::random_device{}() == 0) return 4;
        if (dlopen("no such library", RTLD_NOW) || std::strtol("12", nullptr, 10) != 12) return 5;
        try { throw std::runtime_error("caught"); } catch (const std::exception& error) { std::puts(error.what()); }
        std::atexit([] { std::puts("exit"); });
      }`
    writeFileSync(join(folder, 'program.cpp'), source)
    const program = join(folder, 'program')
    const args = [
      '-std=c++17',
      '-O1',
      '-o',
      program,
      join(folder, 'program.cpp'),
      ...floorFlags(library),
      '-pthread',
    ]
    expect(spawnSync('g++', args, { encoding: 'utf8' }).stderr).toBe('')

    const { stdout, status } = spawnSync(program, { encoding: 'utf8' })
    expect({ stdout, status }).toEqual({ stdout: 'begun\n4.411\ncaught\nexit\nended\n', status: 0 })
    const symbols = spawnSync('readelf', ['--wide', '--dyn-syms', program], { encoding: 'utf8' }).stdout
    const versions = [...symbols.matchAll(/ UND .*@GLIBC_([\d.]+)/g)].map(([, version = '']) => version)
    expect(versions.length).toBeGreaterThan(10)
    expect(versions.filter((version) => isNewer(version, '2.28'))).toEqual([])
    expect(symbols).not.toMatch(/GLIBCXX|CXXABI/)
  })
})
