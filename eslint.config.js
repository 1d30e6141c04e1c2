/**
 * Besides the usual rules, this file holds the layering: protocol ← router, protocol ← connector, the two sides apart,
 * and only cli/ touches the process it runs in.
 */

import tseslint from 'typescript-eslint'

const HTTP = ['node:http', 'node:https', 'node:http2', 'http', 'https', 'http2']
const OPERATOR_TOOLS = ['yargs', 'yargs/*', 'pino', 'pino-pretty']

/** no-restricted-imports by group: `[patterns, why]`. */
const forbid = (...groups) => ({
  '@typescript-eslint/no-restricted-imports': [
    'error',
    { patterns: groups.map(([group, message, allowTypeImports = false]) => ({ group, message, allowTypeImports })) },
  ],
})

const only = {
  ws: [['ws'], 'ws is imported by protocol/ws-*.ts only: everything else knows links.'],
  tools: [OPERATOR_TOOLS, "An embedder must not drag in an operator's tools: only cli/ imports them."],
  http: [HTTP, 'The protocol layer knows no HTTP library.', true],
}

const processUse = [
  { object: 'process', property: 'argv', message: 'Only cli/ reads the command line.' },
  { object: 'process', property: 'env', message: 'Only cli/ reads the environment.' },
  { object: 'process', property: 'exit', message: 'Only cli/ ends the process.' },
  { object: 'process', property: 'exitCode', message: 'Only cli/ ends the process.' },
  { object: 'process', property: 'stdout', message: 'A library does not print: use the logger.' },
  { object: 'process', property: 'stderr', message: 'A library does not print: use the logger.' },
]

const versionComparison = [
  'BinaryExpression[operator=/^[!=]==?$/][left.property.name="version"]',
  'BinaryExpression[operator=/^[!=]==?$/][right.property.name="version"]',
  'SwitchStatement[discriminant.property.name="version"]',
].map((selector) => ({
  selector,
  message: 'What differs between protocol versions is asked as a capability; `version` is for logs and status.',
}))

const defaultExport = { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' }

export default tseslint.config(
  { ignores: ['dist', 'dist.*', 'coverage', '.interop', 'node_modules', 'examples'] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Noops are what a callback interface is silent with.
      '@typescript-eslint/no-empty-function': 'off',
      // `readonly` generics that occur once document a relation.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      eqeqeq: ['error', 'always'],
      'no-console': 'error',
      'no-restricted-syntax': ['error', defaultExport],
    },
  },
  {
    files: ['protocol/**/*.ts', 'router/**/*.ts', 'connector/**/*.ts', 'check/**/*.ts'],
    rules: { 'no-restricted-properties': ['error', ...processUse] },
  },
  {
    files: ['protocol/**/*.ts'],
    rules: forbid(
      [['**/router/**', '**/connector/**', '**/cli/**'], 'The protocol layer knows neither side.'],
      only.http,
      only.ws,
      only.tools,
    ),
  },
  {
    files: ['protocol/ws-*.ts'],
    rules: forbid(
      [['**/router/**', '**/connector/**', '**/cli/**'], 'The protocol layer knows neither side.'],
      only.tools,
    ),
  },
  {
    files: ['router/**/*.ts'],
    rules: {
      ...forbid([['**/connector/**', '**/cli/**'], 'The two sides never import each other.'], only.ws, only.tools),
      'no-restricted-syntax': ['error', defaultExport, ...versionComparison],
    },
  },
  {
    files: ['connector/**/*.ts'],
    rules: {
      ...forbid([['**/router/**', '**/cli/**'], 'The two sides never import each other.'], only.ws, only.tools, [
        ['undici', 'find-my-way', 'prom-client', 'jose', 'zod', 'yaml'],
        'What a connector imports is ws, uuid and Node: it lives in other people’s processes.',
      ]),
      'no-restricted-syntax': ['error', defaultExport, ...versionComparison],
    },
  },
  // check/*.ts and check/connector/*.ts: one more step up to get out of the folder.
  ...['', '\\.\\./'].map((deeper) => ({
    files: [deeper === '' ? 'check/*.ts' : 'check/*/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^\\.\\./${deeper}(?:router|connector|cli)/`,
              message: 'The kit judges implementations, ours among them: it is made of none of them.',
            },
            { group: ['ws', ...OPERATOR_TOOLS], message: 'The kit needs protocol/ and Node, nothing else.' },
          ],
        },
      ],
    },
  })),
  {
    files: ['cli/**/*.ts'],
    rules: forbid(only.ws, [['undici', 'find-my-way'], 'The commands only map flags to options.']),
  },
  {
    // Tests speak to fakes and look inside; what is asserted is their own business.
    files: ['test/**/*.ts', 'vitest.config.ts'],
    rules: {
      'no-restricted-syntax': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-misused-promises': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/no-deprecated': 'off',
    },
  },
)
