import { run } from './web.ts'

// The test calls it with page.evaluate.
Object.assign(globalThis, { runConformance: run })
