"""How is the API described? The OpenAPI document and the pages that show it."""
