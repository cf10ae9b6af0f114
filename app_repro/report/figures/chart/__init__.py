"""What charts are made of. In reading order:

lines      the lines of a figure: finished records by setting, with names that tell them apart
parts      panels with more lines than a reader can follow, parted by what their runs ask
marks      colours, line patterns and marks of lines
ends       names at the ends of lines, moved apart so that they never touch
pieces     parts that several charts share: axes, lines, names
stream     a value after each megabatch, for anytime and gap_long
corrupted  lines of runs with the networks that analyses measured
heat       heat maps of two ordered settings
"""
