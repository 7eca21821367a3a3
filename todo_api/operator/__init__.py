"""What can an operator do with accounts and after a restore, from a terminal?"""
