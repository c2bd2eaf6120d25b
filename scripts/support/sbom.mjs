// @ts-check
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** @param {string} path */
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/**
 * Software of others that is a part of a vendored tree or of what compilers put into the libraries, and has a licence of its own. Each is in
 * THIRD_PARTY_LICENSES, too.
 */
const EMBEDDED = [
  { name: 'llamafile sgemm', license: 'MIT', where: 'vendor/whisper.cpp/ggml/src/ggml-cpu/llamafile' },
  { name: 'miniaudio', license: 'MIT-0', where: 'vendor/whisper.cpp/examples/miniaudio.h' },
  { name: 'stb_vorbis', license: 'MIT', where: 'vendor/whisper.cpp/examples/stb_vorbis.c' },
  { name: 'libstdc++', license: 'GPL-3.0-or-later WITH GCC-exception-3.1', where: 'the prebuilt libraries' },
]

/** What the bundler puts into dist/. */
const BUNDLED = ['string-width', 'strip-ansi', 'ansi-regex', 'get-east-asian-width']

/**
 * @typedef {{ type: string, 'bom-ref': string, name: string, version?: string, purl?: string, scope?: string, description?: string, licenses: object[], hashes?: object[], externalReferences?: object[] }} Component
 */

/**
 * What a release consists of, as CycloneDX 1.5. The same release gives the same document.
 * @param {string} root the checkout
 * @param {{ name: string, file: string, sha256: string }[]} [packages] of the release
 */
export function makeSbom(root, packages = []) {
  const { name, version, license, dependencies } = readJson(join(root, 'package.json'))
  const lock = readJson(join(root, 'package-lock.json')).packages
  const library = `pkg:npm/${name}@${version}`
  const npm = [...npmComponents(Object.keys(dependencies), lock), ...npmComponents(BUNDLED, lock)]
  const vendored = vendoredComponents(join(root, 'vendor'))
  const embedded = EMBEDDED.map(({ name, license, where }) => ({
    type: 'library',
    'bom-ref': `embedded:${name}`,
    name,
    description: `Part of ${where}.`,
    licenses: licensesOf(license),
  }))
  const published = packages.map(({ name, file, sha256 }) => ({
    type: 'library',
    'bom-ref': `package:${name}`,
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    description: file,
    licenses: licensesOf(license),
    hashes: [{ alg: 'SHA-256', content: sha256 }],
  }))
  const components = withoutRepetition([...published, ...npm, ...vendored, ...embedded])
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        type: 'library',
        'bom-ref': library,
        name,
        version,
        purl: library,
        licenses: licensesOf(license),
      },
    },
    components,
    dependencies: [{ ref: library, dependsOn: components.map((component) => component['bom-ref']) }],
  }
  return { ...document, serialNumber: `urn:uuid:${uuidOf(JSON.stringify(document))}` }
}

/** @param {string} license an identifier or expression of SPDX */
const licensesOf = (license) => [/ /.test(license) ? { expression: license } : { license: { id: license } }]

/**
 * With all that they depend on.
 * @param {string[]} names
 * @param {Record<string, { version: string, license?: string, integrity?: string, dependencies?: Record<string, string> }>} lock
 * @returns {Component[]}
 */
function npmComponents(names, lock) {
  return names.flatMap((name) => {
    const entry = lock[`node_modules/${name}`]
    if (entry === undefined) return []
    const purl = `pkg:npm/${name.replace('@', '%40')}@${entry.version}`
    const hash = entry.integrity?.match(/^sha512-(.+)$/)?.[1]
    return [
      {
        type: 'library',
        'bom-ref': purl,
        name,
        version: entry.version,
        purl,
        licenses: licensesOf(entry.license ?? 'NOASSERTION'),
        ...(hash && { hashes: [{ alg: 'SHA-512', content: Buffer.from(hash, 'base64').toString('hex') }] }),
      },
      ...npmComponents(Object.keys(entry.dependencies ?? {}), lock),
    ]
  })
}

/** @param {string} folder with the manifests @returns {Component[]} */
function vendoredComponents(folder) {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => {
      const manifest = readJson(join(folder, file))
      /** @type {{ type: string, host?: string, path?: string, package?: string, version?: string }[]} */
      const sources = manifest.sources
      const archive = sources.find(({ type }) => type === 'archive')
      const repository = archive?.path?.match(/^([^/]+\/[^/]+)\//)?.[1]
      const purl = repository ? `pkg:github/${repository.toLowerCase()}@${manifest.version}` : undefined
      const contents = createHash('sha256').update(JSON.stringify(manifest.files)).digest('hex')
      return {
        type: 'library',
        'bom-ref': `vendor:${manifest.name}`,
        name: manifest.name,
        version: manifest.version,
        ...(purl && { purl }),
        description: `${Object.keys(manifest.files).length} files, whose hashes are in vendor/${file}; the hash here is that of their list.`,
        licenses: licensesOf(manifest.license),
        hashes: [{ alg: 'SHA-256', content: contents }],
        ...(archive && {
          externalReferences: [{ type: 'distribution', url: `${archive.host}/${archive.path}` }],
        }),
      }
    })
}

/** @param {Component[]} components */
function withoutRepetition(components) {
  return components.filter(
    (component, index) =>
      components.findIndex((other) => other['bom-ref'] === component['bom-ref']) === index,
  )
}

/** Of the form that the specification demands. @param {string} text */
function uuidOf(text) {
  const hex = createHash('sha256').update(text).digest('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `5${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}
