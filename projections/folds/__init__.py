"""The built-in views: one file per view, a frozen struct and its pure fold.

The structs say gc=False: what a row holds is part of no cycle, and a fold makes a new one for every
event, through which the garbage collector would walk several times.
"""
