// Lint rules: strict typed TypeScript, the rules of hooks, and the one direction of imports:
// gen → rpc → domain/store → components → routes → app, where domain imports nothing.
import eslint from '@eslint/js';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
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

const zones = Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
  target: [`./src/${folder}/**/!(*.test).{ts,tsx}`],
  from: FOLDERS.filter((other) => other !== folder && !allowed.includes(other)).map(
    (other) => `./src/${other}`,
  ),
  message: `${folder}/ may import from ${allowed.join(', ') || 'nothing'}.`,
}));

export default tseslint.config({ ignores: ['dist', 'src/gen', 'test-results'] }, eslint.configs.recommended, {
  files: ['**/*.{ts,tsx}'],
  extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
  languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
  plugins: { 'react-hooks': reactHooks, 'import-x': importX },
  settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
  rules: {
    ...reactHooks.configs.recommended.rules,
    // About the React Compiler, which is not used here.
    'react-hooks/incompatible-library': 'off',
    'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }],
    'import-x/no-cycle': 'error',
    'import-x/order': ['error', { alphabetize: { order: 'asc' }, 'newlines-between': 'ignore' }],
    'no-console': 'error',
    '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    '@typescript-eslint/switch-exhaustiveness-check': 'error',
  },
});
