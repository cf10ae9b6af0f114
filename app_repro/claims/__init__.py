"""Claims of the paper, judged on records by statistical rules (docs/claims.md). In reading order:

statement.py    what a claim is: its sides, its full setting, its metric and unit
student.py      Student's t in closed form
judgement.py    what every rule shares: the judgement that it gives, confidence levels, the spread of one seed
variance.py     the spread of one seed, pooled over cells of the same data set and metric
matching.py     which runs a claim is about, and how they depart from its setting
kinds/          the kinds of claims, a file per family: rule, words, what a row needs
claims_file.py  data/claims.csv read and validated
needs.py        which runs the claims need, and which claims a grid can decide
departures.py   how a setting is named in which runs depart from a claim
nearby.py       runs that depart from a claim's setting in the same way on each of its sides
elsewhere.py    what is nearest to a claim's setting, beside its verdict
verify.py       verdicts on claims from records, and the exit code
printing.py     verdicts as a table, Markdown, JUnit XML, JSON, and one claim explained step by step
power.py        how many seeds a hard verdict needs, and what they cost
contrasts.py    differences between groups of runs, and which is ahead, by the same rules
controls.py     control arms beside their sources, and the differences that say what a mask is worth
ablations.py    what each protocol switch does to APP, from runs that differ in it alone
robustness.py   runs under corrupted images by their analyses, and differences between them
connectivity.py  pairs of siblings by their analyses: errors along the path between them, and the labels that follow
regimes.py      these pairs as cells of load and temperature, and what temperature does
tag_contrasts.py  contrasts of the taxonomy: the runs that test each, and the command for those that none tests
exports.py      the authors' runs as plain values, from wandb or a file that a dashboard exported
reported.py     these runs as rows for the claims file, and which of them count
"""
