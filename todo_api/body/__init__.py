"""What does a request's body say, or what is wrong with it?"""
