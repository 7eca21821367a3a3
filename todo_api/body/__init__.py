"""How is a body without faults read in one pass, and what does its class say about each field?"""
