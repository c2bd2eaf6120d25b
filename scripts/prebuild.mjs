#!/usr/bin/env node
// @ts-check
/**
 * `node scripts/prebuild.mjs [x64|arm64]`, by default for the processor of this machine, else with Debian's cross compiler
 * (g++-aarch64-linux-gnu) or the one that CC and CXX name.
 *
 * Makes `prebuilds/<platform>-<arch>/`: the addon under the name that node-gyp-build looks for, ggml's core, the CPU
 * modules of every generation of processors, the program that tries a GPU, and the build report. prebuildify moves the addon out of the folder in
 * which it was built; that folder is one of its own, so that a local build stays whole.
 */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from './support/package.mjs'
import { BUILD_REPORT_FILE, hashOutputs } from './support/report.mjs'
import { crossCompilers } from './support/toolchain.mjs'

const prebuildify = promisify(createRequire(import.meta.url)('prebuildify'))
/**
 * CPU modules that are not worth their size. Two have the kernels of another one: ggml asks those processors for AVX512-VBMI, and does not use
 * it. The third multiplies bfloat16 faster on one generation of servers; the last two are for processors of before 2011, and for AMD's of 2012 to 2015.
 * They use the modules of skylakex, cascadelake, zen4, x64 and ivybridge.
 */
const LEFT_OUT = ['cannonlake', 'icelake', 'cooperlake', 'sse42', 'piledriver'].map(
  (name) => `libggml-cpu-${name}.so`,
)

const arch = process.argv[2] ?? process.arch
if (arch !== 'x64' && arch !== 'arm64') {
  console.error(`whisper-hip: Expected x64 or arm64 but received '${arch}'.`)
  process.exit(1)
}
if (arch !== process.arch) {
  const { c, cxx } = crossCompilers(arch)
  process.env.CC ??= c
  process.env.CXX ??= cxx
}
const staging = join(packageRoot, 'build', arch === process.arch ? 'prebuild' : `prebuild-${arch}`)
const target = join(packageRoot, 'prebuilds', `${process.platform}-${arch}`)

await rm(target, { recursive: true, force: true })
await mkdir(staging, { recursive: true })
await prebuildify({
  cwd: staging,
  out: packageRoot,
  name: 'whisper-hip',
  napi: true,
  arch,
  cache: join(staging, 'cache'), // else a folder in /tmp
  targets: [`node@${process.versions.node}`],
  nodeGyp: join(packageRoot, 'scripts', 'node-gyp-shim.mjs'),
})

const outputs = join(staging, 'build', 'Release')
/** @type {import('../lib/backend/build-report.ts').BuildReport} */
const report = JSON.parse(await readFile(join(outputs, BUILD_REPORT_FILE), 'utf8'))
// prebuildify takes the libraries along, and no program.
if (report.built.trial) await copyFile(join(outputs, report.built.trial), join(target, report.built.trial))
report.built.addon = 'whisper-hip.node'
report.built.cpu = report.built.cpu.filter((name) => !LEFT_OUT.includes(name))
for (const name of LEFT_OUT) await rm(join(target, name), { force: true })
// Why the releasing machine had no ROCm says nothing about the machine that reads this.
if (!report.hip.built) report.hip.message = 'The prebuilt addon contains no HIP module.'
report.sha256 = hashOutputs(target, report)
await writeFile(join(target, BUILD_REPORT_FILE), `${JSON.stringify(report, null, 2)}\n`)
