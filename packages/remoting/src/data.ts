export * from './bodies/types.ts'
