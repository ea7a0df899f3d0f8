// Builds the demo pages: examples/demos/src as it is, the SDK as one ES module, the documentation as pages.
import { build } from 'esbuild'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { htmlOf } from './markdown.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const source = join(root, 'examples/demos/src')

/** ES modules for the pages, by their name in sdk/. */
const modules = { cometmq: 'sdk-web/src/index.ts', hints: 'packages/protocol/src/hints.ts' }

/** @param {{ out?: string }} [options] folder, replaced; resolves when the pages are there. */
export async function buildDemos({ out = join(root, 'bridge/dist/pages') } = {}) {
  rmSync(out, { recursive: true, force: true })
  mkdirSync(dirname(out), { recursive: true })
  cpSync(source, out, { recursive: true })
  buildDocs(join(out, 'docs'))
  await build({
    absWorkingDir: root,
    entryPoints: modules,
    outdir: join(out, 'sdk'),
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['cometmq-source'],
    logLevel: 'warning',
  })
}

function buildDocs(out) {
  mkdirSync(out, { recursive: true })
  const frame = readFileSync(join(source, 'docs/frame.html'), 'utf8')
  rmSync(join(out, 'frame.html'))
  const names = readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md'))
  for (const name of names) {
    const { title, html } = htmlOf(readFileSync(join(root, 'docs', name), 'utf8'))
    const file = name.replace(/md$/, 'html')
    const page = frame
      .replaceAll('{{title}}', () => title)
      .replace(`<a href="/docs/${file}">`, link => link.replace('>', ' aria-current="page">'))
      .replace('{{content}}', () => html)
    writeFileSync(join(out, file), page)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildDemos()
