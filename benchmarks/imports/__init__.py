"""How much of a shape an import finds: ``python -m benchmarks.imports`` prints a table.

Shapes of several generators are exported by our own writers and then changed as other programs
would have left them; some files are broken. What comes back is held against what was there.
"""
