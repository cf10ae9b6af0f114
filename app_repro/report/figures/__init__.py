"""The figures: each a file with its rows and its Altair chart, for the page and for print. In reading order:

chart/    what charts are made of: lines, their marks and names, axes, heat maps
figure    what a figure is, and how a chart is filled for a setting
paper/    the figures of streams and of what the paper claims, a file each
studies/  the figures of the studies, a file each
registry  which figures there are
printing  charts on a sheet as SVG, PDF and PNG
audit     the figure of masks without training
write     the figures of records, for the page and as files
"""
