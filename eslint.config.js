import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** Who may import whom. Dependencies point one way: domain ← processes ← databases ← adapters ← activities; workflows see domain and activity types. */
const ADAPTERS = ['stores', 'deployers', 'checks', 'ledger', 'inventory'];
const zone = (target, allowed) => ({
  target: `./src/${target}`,
  from: './src',
  except: [target, ...allowed].map((folder) => `./${folder}`),
  message: `${target}/ may import ${['itself', ...allowed].join(', ')} only (ARCHITECTURE.md, "Which way imports point")`,
});

const LOOPS = ['WhileStatement', 'DoWhileStatement', 'ForStatement', 'ForOfStatement'];

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'coverage', '.keyturn'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname } },
    settings: {
      'import-x/resolver-next': [
        importX.createNodeResolver({ extensions: ['.ts', '.js'], extensionAlias: { '.js': ['.ts', '.js'] } }),
      ],
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-restricted-paths': [
        'error',
        {
          zones: [
            zone('domain', []),
            zone('runbooks', ['domain']),
            zone('processes', ['domain']),
            zone('ciphers', ['domain']),
            zone('databases', ['domain', 'processes']),
            zone('reencryption', ['domain', 'processes', 'databases', 'ciphers']),
            zone('backups', ['domain', 'processes', 'stores']),
            ...ADAPTERS.map((folder) => zone(folder, ['domain', 'runbooks', 'processes', 'databases'])),
            zone('activities', [
              'domain',
              'runbooks',
              'processes',
              'databases',
              'ciphers',
              'reencryption',
              'backups',
              ...ADAPTERS,
            ]),
            zone('workflows', ['domain', 'runbooks', 'activities']),
            zone('embedded', ['domain']),
          ],
        },
      ],
      'no-console': 'error',
    },
  },
  {
    // A workflow may know what an activity is called and returns, never load its code.
    files: ['src/workflows/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['**/activities/*'],
              allowTypeImports: true,
              message: 'types only: activities run outside the workflow sandbox',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['src/domain/**/*.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: ['node:*', '@temporalio/*'] }] },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-console': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'no-restricted-syntax': [
        'error',
        {
          // These ask which test is running, and of several at once the imported one knows none, or another.
          selector:
            'Program:has(MemberExpression[property.name="concurrent"]) MemberExpression[object.name="expect"][property.name=/^(poll|soft|assertions|hasAssertions)$/]',
          message: "beside concurrent tests take it from the test's own context: context.expect.poll(…)",
        },
        {
          selector:
            'Program:has(MemberExpression[property.name="concurrent"]) CallExpression[callee.property.name=/Snapshot$/]',
          message: 'no snapshots beside concurrent tests',
        },
        {
          // In a loop it is the pause between two looks.
          selector: [
            'AwaitExpression > CallExpression[callee.name=/^(sleep|pause|delay)$/]',
            'AwaitExpression > NewExpression[callee.name="Promise"]:has(CallExpression[callee.name="setTimeout"])',
          ]
            .map((waits) => `${waits}:not(:matches(${LOOPS.map((loop) => `${loop} *`).join(', ')}))`)
            .join(', '),
          message: 'wait for what is to happen (expect.poll), or see that nothing does (test/support/meanwhile.ts)',
        },
      ],
    },
  },
);
