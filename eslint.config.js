import js from '@eslint/js'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', 'test/golden/**', 'test/interop/java/**', 'test/interop/go/**', '.build/**'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      // Properties are separated by control characters.
      'no-control-regex': 'off',
      'no-constant-condition': ['error', { checkLoops: false }],
      'max-params': ['warn', 5],
    },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        setTimeout: 'readonly',
        URL: 'readonly',
        AbortController: 'readonly',
      },
    },
  },
  {
    files: ['examples/demos/src/**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'addEventListener',
          'clearInterval',
          'clearTimeout',
          'CompressionStream',
          'crypto',
          'devicePixelRatio',
          'dispatchEvent',
          'document',
          'Event',
          'fetch',
          'history',
          'localStorage',
          'location',
          'matchMedia',
          'performance',
          'requestAnimationFrame',
          'ResizeObserver',
          'Response',
          'sessionStorage',
          'setInterval',
          'URLSearchParams',
          'WebSocket',
        ].map(name => [name, 'readonly']),
      ),
    },
  },
)
