import type { Logger } from '@cometmq/cluster'
import { type HttpRequest, type HttpResponse } from './engine/types.ts'
import { problem, sendProblem } from './problem.ts'

/** Answers one request, at once or later. `request.body` may only be called before it returns; a rejection is answered with 500. */
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void | Promise<void>

/** Methods (upper case) and their handlers. HEAD is answered by GET's. */
export type Route = Readonly<Record<string, HttpHandler>>

/** Path → route; a path that ends with `/` stands for everything below it that has no route of its own. */
export type Routes = ReadonlyMap<string, Route>

export function findRoute(routes: Routes, path: string): Route | undefined {
  const exact = routes.get(path)
  if (exact) return exact
  for (let end = path.lastIndexOf('/'); end >= 0; end = path.lastIndexOf('/', end - 1)) {
    const route = routes.get(path.slice(0, end + 1))
    if (route) return route
    if (end === 0) return undefined
  }
  return undefined
}

/** Answers by path and method; what is not there in the form of the error catalogue. */
export function dispatch(routes: Routes, logger: Logger) {
  return (request: HttpRequest, response: HttpResponse): void => {
    const route = findRoute(routes, request.path)
    if (!route) return sendProblem(response, problem('NOT_FOUND', `there is nothing at ${shown(request.path)}`))
    const handler = route[request.method] ?? (request.method === 'HEAD' ? route['GET'] : undefined)
    if (!handler) return wrongMethod(route, response)
    const failed = (error: unknown): void => {
      logger.error('answering a request failed', { path: shown(request.path), error })
      sendProblem(response, problem('INTERNAL', 'the bridge failed at this request'))
    }
    try {
      const done = handler(request, response)
      if (done) done.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}

function wrongMethod(route: Route, response: HttpResponse): void {
  const { headers, body } = problem('NOT_SUPPORTED', 'this path does not take that method')
  response.respond(405, { ...headers, allow: Object.keys(route).join(', ') }, body)
}

const shown = (path: string): string => path.slice(0, 200)
