"""Which processes run, do they still work, and what do they ask of the kernel?"""
