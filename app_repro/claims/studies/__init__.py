"""What groups of runs say of each study: contrasts by the rules that judge claims. In reading order:

controls.py       control arms beside their sources, and the differences that say what a mask is worth
ablations.py      what each protocol switch does to APP, from runs that differ in it alone
robustness.py     runs under corrupted images by their analyses, and differences between them
connectivity.py   pairs of siblings by their analyses: errors along the path between them, and the labels that follow
regimes.py        these pairs as cells of load and temperature, and what temperature does
questions.py      contrasts of the taxonomy: the tags, and the setting that changes them
tag_contrasts.py  the runs that test each of them, and the command for those that none tests
"""
