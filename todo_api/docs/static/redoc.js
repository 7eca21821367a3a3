"use strict";

const sans = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const mono = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace';

const typography = { fontFamily: sans, headings: { fontFamily: sans }, code: { fontFamily: mono } };
const light = { colors: { primary: { main: "#1a56a0" } }, typography };
const dark = {
  colors: {
    primary: { main: "#7db4f0" },
    success: { main: "#5cc98a" },
    warning: { main: "#e0b050", contrastText: "#14181b" },
    error: { main: "#ff8a80" },
    gray: { 50: "#23292d", 100: "#2b3237" },
    text: { primary: "#e4e6e6", secondary: "#b7bcbf" },
    border: { dark: "#565e64", light: "#3a4147" },
    responses: {
      success: { backgroundColor: "#1d3327" },
      error: { backgroundColor: "#3a2426" },
      redirect: { color: "#e0b050", backgroundColor: "#362f1f" },
    },
  },
  schema: { nestedBackground: "#23292d", linesColor: "#56708c" },
  sidebar: { backgroundColor: "#171b1e", textColor: "#e4e6e6" },
  rightPanel: { backgroundColor: "#14181b" },
  codeBlock: { backgroundColor: "#0c0f11" },
  typography: {
    ...typography,
    code: { fontFamily: mono, color: "#ff9d94", backgroundColor: "#2b3237" },
  },
};

// ReDoc computes its other colours from these once, so a change of the browser's mind needs a new page.
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
prefersDark.addEventListener("change", () => location.reload());

const place = document.getElementById("redoc");
// For screen readers: ReDoc's small headings, h5, come right after h2. And its menu names an entry without
// what is below it, so that this is not read.
new MutationObserver(() => {
  for (const entry of place.querySelectorAll('[role="menuitem"][aria-label]')) {
    entry.removeAttribute("aria-label");
  }
  for (const heading of place.querySelectorAll("h5:not([aria-level])")) {
    heading.setAttribute("aria-level", "3");
  }
}).observe(place, { childList: true, subtree: true });

Redoc.init(
  "openapi.json",
  {
    // Keeps a heading that is jumped to clear of the bar above.
    scrollYOffset: ".bar",
    hideDownloadButtons: true,
    hideSchemaPattern: true, // the descriptions say it in words
    theme: prefersDark.matches ? dark : light,
  },
  place,
);
