"""The figures: each a file with its rows and its Altair chart, for the page and for print. In reading order:

lines       the lines of a figure: finished records by setting, with names that tell them apart
parts       panels with more lines than a reader can follow, parted by what their runs ask
marks       colours, line patterns and marks of lines
ends        names at the ends of lines, moved apart so that they never touch
figure      what a figure is, and how a chart is filled for a setting
pieces      parts that several charts share: axes, lines, names
stream      a value after each megabatch, for anytime and gap_long
framework   the stream and the density schedules
accuracy    accuracy, CER and gap after the last megabatch
anytime     accuracy after each megabatch
gap_long    the gap over long streams
gap_length  the gap against the length of the stream
density     nominal and effective density
layers      density by layer
widths      channels by layer, where they are removed
curves      training within a megabatch
flow        gradients at pruned weights against those at kept ones
pareto      accuracy against density and FLOPs
controls    control arms beside their source
corrupted   lines of runs with the networks that analyses measured, for the next four
corruptions what each corruption costs
angle_length  classes at the last linear layer
margins     the margin against severity; robustness over the stream
redundancy  which corruptions move the same images
heat        heat maps of two ordered settings, for the next one
regime      siblings by load and temperature, and the path between two
registry    which figures there are
printing    charts on a sheet as SVG, PDF and PNG
audit       the figure of masks without training
write       the figures of records, for the page and as files
"""
