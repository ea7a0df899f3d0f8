import { type Target } from '@cometmq/testkit/conformance'
import { run } from './web.ts'

/** A Worker: `POST` with the target as JSON, results as JSON. */
export default {
  async fetch(request: Request): Promise<Response> {
    try {
      return Response.json(await run((await request.json()) as Target))
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error), { status: 500 })
    }
  },
}
