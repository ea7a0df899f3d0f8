import type { TestProject } from 'vitest/node'
import { type Available, build } from './build.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    available: Available
  }
}

/** Builds both drivers once. What cannot be built is skipped by the tests, with the reason printed here. */
export default async function setup(project: TestProject): Promise<void> {
  const available = await build()
  for (const [what, why] of Object.entries(available)) {
    if (why !== '') console.log(`skipped: everything that needs ${what}: ${why as string}`)
  }
  project.provide('available', available)
}
