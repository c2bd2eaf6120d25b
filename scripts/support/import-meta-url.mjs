import { pathToFileURL } from 'node:url'

/** `import.meta.url` of the CommonJS build. The usual stand-in asks `document` first, which jsdom has. */
export const importMetaUrl = pathToFileURL(__filename).href
