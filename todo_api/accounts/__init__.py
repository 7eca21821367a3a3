"""What may users do with their account?"""
