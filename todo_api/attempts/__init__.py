"""Who has tried what at the door, and how often may they try it?"""
