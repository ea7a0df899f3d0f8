export { loadEngine } from './engine/index.ts'
export * from './engine/types.ts'
