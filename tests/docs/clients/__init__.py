"""What reads the OpenAPI document: generators of clients, and linters."""
