import { exchange, type Exchange } from './exchange.ts'

export default {
  async fetch(request: Request): Promise<Response> {
    try {
      return Response.json(await exchange((await request.json()) as Exchange))
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error), { status: 500 })
    }
  },
}
