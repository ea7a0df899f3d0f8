export * from './environment.ts'
export * from './errors.ts'
