"""Many runs at once, with random faults, and then: what is left of them?"""
