"use strict";

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
