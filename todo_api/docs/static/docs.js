"use strict";

// Swagger UI has dark colours, and leaves it to the page when to show them.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// What Swagger UI does not tell screen readers: what its parts are for, and which heading is below which.
const names = {
  ".information-container": "About this API",
  ".scheme-container": "Server and token",
  "#servers": "Server",
  ".examples-select-element": "Example",
  ".body-param__text": "Request body",
  ".content-type": "Media type",
};
const levels = { h3: "2", h4: "3", h5: "4" };
const place = document.getElementById("swagger-ui");
new MutationObserver(() => {
  for (const [selector, name] of Object.entries(names)) {
    for (const part of place.querySelectorAll(`${selector}:not([aria-label])`)) {
      part.setAttribute("aria-label", name);
      if (part.tagName === "DIV" || part.tagName === "SECTION") part.setAttribute("role", "region");
    }
  }
  for (const [tag, level] of Object.entries(levels)) {
    for (const heading of place.querySelectorAll(`${tag}:not([aria-level])`)) {
      heading.setAttribute("aria-level", level);
    }
  }
}).observe(place, { childList: true, subtree: true });

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  // A token stays in this tab's memory: a reload forgets it.
  persistAuthorization: false,
  // The validator is a service on another host.
  validatorUrl: null,
});
