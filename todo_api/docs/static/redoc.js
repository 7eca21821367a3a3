"use strict";

const sans = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const mono = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace';

Redoc.init(
  "openapi.json",
  {
    // Keeps a heading that is jumped to clear of the bar above.
    scrollYOffset: ".bar",
    hideDownloadButtons: true,
    theme: {
      colors: { primary: { main: "#1a56a0" } },
      typography: {
        fontFamily: sans,
        headings: { fontFamily: sans },
        code: { fontFamily: mono },
      },
    },
  },
  document.getElementById("redoc"),
);
