// Unit tests of the pure files; browser tests are in tests/browser of the project.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  define: { __PAGE__: JSON.stringify('central') },
  test: { include: ['tests/**/*.test.ts'], environment: 'node', css: true },
});
