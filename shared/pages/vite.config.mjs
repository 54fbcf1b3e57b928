// How the page is compiled: one source, two pages ("central" and "edge"), told apart by the mode.
import { defineConfig } from 'vite';

export default defineConfig(({ mode }) => ({
  base: './',
  define: { __PAGE__: JSON.stringify(mode === 'edge' ? 'edge' : 'central') },
  build: {
    target: ['chrome109', 'firefox115', 'safari16'],
    assetsInlineLimit: 0, // a data: address would need an exception in the content security policy
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    reportCompressedSize: false,
  },
  server: { proxy: proxyTo(process.env.HEADFRAME_URL ?? 'http://127.0.0.1:8000') },
}));

/** The addresses that `npm run dev` hands to a running server. */
function proxyTo(target) {
  return {
    '/api': { target },
    '/ws': { target: target.replace(/^http/, 'ws'), ws: true },
  };
}
