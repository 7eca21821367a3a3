"""What several folders of tests use: services, servers, clients and what is looked for in them."""
