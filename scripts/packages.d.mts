export interface Library {
  readonly folder: string
  /** Runs everywhere: nothing of Node.js. */
  readonly portable?: boolean
}

/** The folder of the workspace. */
export const root: string
/** Libraries, each after those that it imports. */
export const libraries: readonly Library[]
export const cli: Library
/** Everything that is published. */
export const published: readonly Library[]
/** The package.json of a folder. */
export function manifestOf(folder: string): Record<string, unknown>
/** What tsup builds, by the `exports` of the manifest: name in dist without `.js` → source file from the root. A source that is not there is left out. */
export function entriesOf(folder: string): Record<string, string>
