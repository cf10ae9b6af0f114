"""The figures of streams and of what the paper claims. In reading order:

framework   the stream and the density schedules
accuracy    accuracy, CER and gap after the last megabatch
anytime     accuracy after each megabatch
gap_long    the gap over long streams
gap_length  the gap against the length of the stream
density     nominal and effective density
layers      density by layer
curves      training within a megabatch
pareto      accuracy against density and FLOPs
"""
