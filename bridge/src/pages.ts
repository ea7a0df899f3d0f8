import { readFile, realpath, stat } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { type HttpRequest, type HttpResponse } from './engine/types.ts'
import { problem, sendProblem } from './problem.ts'
import { type HttpHandler } from './routes.ts'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
}

/** A page is not read into memory beyond this. */
const MAX_FILE_BYTES = 8 * 1024 * 1024

const pageHeaders = {
  'content-security-policy': "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
}

/** Files of a folder by their path; `index.html` for a folder. Nothing outside of it is ever read, by dots or by links. */
export function staticPages(folder: string): HttpHandler {
  const root = realpath(folder)
  root.catch(() => {})
  return async (request, response) => {
    const file = await fileOf(await root.catch(() => undefined), request.path)
    if (!file) return sendProblem(response, problem('NOT_FOUND', 'there is no such page'))
    const etag = `"${file.size.toString(36)}-${Math.floor(file.mtimeMs).toString(36)}"`
    if (isKnown(request, etag)) return response.respond(304, { ...pageHeaders, etag }, '')
    const headers = { ...pageHeaders, etag, 'content-type': types[extname(file.path)] ?? 'application/octet-stream' }
    send(response, headers, await readFile(file.path))
  }
}

const send = (response: HttpResponse, headers: Readonly<Record<string, string>>, body: Uint8Array): void =>
  response.respond(200, headers, body)

const isKnown = ({ headers }: HttpRequest, etag: string): boolean =>
  (headers['if-none-match'] ?? '').split(',').some(known => known.trim().replace(/^W\//, '') === etag)

async function fileOf(root: string | undefined, path: string) {
  const names = namesOf(path)
  if (root === undefined || names === undefined) return undefined
  try {
    const real = await realpath(join(root, ...names))
    if (real !== root && !real.startsWith(root + sep)) return undefined
    return await statFile(real)
  } catch {
    return undefined
  }
}

async function statFile(path: string): Promise<{ path: string; size: number; mtimeMs: number } | undefined> {
  const { size, mtimeMs, ...info } = await stat(path).then(found => ({
    size: found.size,
    mtimeMs: found.mtimeMs,
    isFile: found.isFile(),
  }))
  return info.isFile && size <= MAX_FILE_BYTES ? { path, size, mtimeMs } : undefined
}

/** Names below the folder; undefined for what is not the path of a page. */
function namesOf(path: string): string[] | undefined {
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    return undefined
  }
  const names = decoded.split('/').slice(1)
  if (names.at(-1) === '') names[names.length - 1] = 'index.html'
  // Hidden files, `..`, and what other systems take for separators or streams.
  const isBad = (name: string): boolean => name === '' || name.startsWith('.') || /[\\:\0]/.test(name)
  return names.length === 0 || names.some(isBad) ? undefined : names
}
