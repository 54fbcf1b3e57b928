// Starts ReDoc on the API description of the server that served it. External, so that the content
// security policy needs no exception for inline scripts; fonts are the system's own.
'use strict';

window.addEventListener('DOMContentLoaded', () => {
  const options = {
    disableSearch: true, // its index lives in a blob: worker, which the policy forbids
    hideDownloadButton: false,
    nativeScrollbars: true,
    theme: {
      typography: {
        fontFamily: 'system-ui, sans-serif',
        headings: { fontFamily: 'system-ui, sans-serif' },
        code: { fontFamily: 'ui-monospace, monospace' },
      },
    },
  };
  window.Redoc.init('/openapi.json', options, document.getElementById('redoc'));
});
