"""How is HTTP served? waitress and its processes, slow clients, proxies, the kernel."""
