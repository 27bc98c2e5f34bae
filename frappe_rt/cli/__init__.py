"""The command line. `main` finds the commands; each is a module of its name.

`serving` is the process that ``serve`` is: nothing in it imports Click.
"""
