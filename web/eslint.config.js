// Lint rules: strict typed TypeScript, the rules of hooks, and the one direction of imports:
// gen → rpc → domain/store → components → routes → app, where domain imports nothing.
import eslint from '@eslint/js';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

const FOLDERS = ['gen', 'rpc', 'domain', 'store', 'components', 'routes', 'app', 'test'];

const MAY_IMPORT = {
  rpc: ['gen', 'domain'],
  domain: [],
  store: ['domain'],
  components: ['domain', 'store'],
  routes: ['domain', 'store', 'components'],
  app: ['rpc', 'domain', 'store', 'components', 'routes'],
};

const oneDirection = Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
  files: [`src/${folder}/**/*.{ts,tsx}`],
  ignores: ['**/*.test.{ts,tsx}'],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^(\\.{1,2}/)+(${FOLDERS.filter((other) => other !== folder && !allowed.includes(other)).join('|')})/`,
            message: `${folder}/ may import from ${allowed.join(', ') || 'nothing'}.`,
          },
          // A folder has no folders of its own, so this names every way out of it but the ones above.
          { regex: '^(\\.\\./){2}', message: 'There is nothing to import from outside of src/.' },
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist', 'src/gen', 'test-results'] },
  eslint.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'react-hooks': reactHooks },
    rules: {
      ...reactHooks.configs.recommended.rules,
      // About the React Compiler, which is not used here.
      'react-hooks/incompatible-library': 'off',
      'no-console': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  ...oneDirection,
);
