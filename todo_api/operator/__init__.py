"""What can an operator do with accounts, from a terminal?"""
