import type { InputOptions, OutputOptions } from 'rollup'

/** How bundles for browsers are made. */
export const bundleOptions: InputOptions
/** For `<script type=module>`: minified, no imports of its own. */
export const moduleOutput: OutputOptions
declare const config: InputOptions & { output: OutputOptions[] }
export default config
