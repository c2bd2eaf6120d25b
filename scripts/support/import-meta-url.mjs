import { pathToFileURL } from 'node:url'

/**
 * `import.meta.url` of the CommonJS build. The usual stand-in asks `document` first, which jsdom has. In an ES module that a bundler made there
 * is no `__filename`: then the program stands for the bundle, beside which the package is looked for.
 */
export const importMetaUrl = pathToFileURL(
  typeof __filename === 'string' ? __filename : (process.argv[1] ?? process.execPath),
).href
