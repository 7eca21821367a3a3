"""How is HTTP served? waitress, who waits for a thread, slow clients, proxies."""
