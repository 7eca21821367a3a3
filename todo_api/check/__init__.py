"""Is everything well, and what should the operator change?"""
